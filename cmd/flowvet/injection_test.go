package main

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"flowvet/capture/capturetest"
	"flowvet/report"
)

// TestFault42HostileStringsComeOutHarmless carries each of 200 hostile strings by file names, pcapng options, inventory,
// catalogue, exceptions and arguments, and looks at every output: each format of the report, the text also coloured, what
// other commands print, and standard error.
func TestFault42HostileStringsComeOutHarmless(t *testing.T) {
	strs := hostileStrings(t)
	raw, outputs, arrived := 0, 0, map[string]int{}
	for i, s := range strs {
		if testing.Short() && i%10 != 0 {
			continue
		}
		lab := newHostileLab(t, s)
		for name, out := range lab.outputs(t) {
			outputs++
			if at := rawByte(out, name == "coloured"); at >= 0 {
				raw++
				t.Errorf("%s of %q holds a raw character at byte %d: %q", name, abridged(s), at, out[max(0, at-40):min(len(out), at+20)])
			}
			holds(t, name, s, out)
		}
		for _, flag := range lab.arrived {
			arrived[flag]++
		}
	}
	t.Logf("%d hostile strings, %d outputs, %d with a raw character; files accepted with one: %v", len(strs), outputs, raw, arrived)
}

// abridged keeps a string of a megabyte out of a message.
func abridged(s string) string { return s[:min(len(s), 60)] }

// hostileLab is a folder in which everything that somebody else may choose holds one string.
type hostileLab struct {
	s                  string
	capture, inventory string
	catalog, accepted  string
	arrived            []string // flags whose file was accepted
}

func newHostileLab(t *testing.T, s string) *hostileLab {
	t.Helper()
	t.Chdir(t.TempDir()) // so that a name begins its cell
	l := &hostileLab{s: s}
	l.capture = l.put(t, ".pcapng", hostileCapture(t, s))
	l.inventory = l.put(t, ".yaml", []byte(strings.NewReplacer(
		"NAME", quotedYAML(s)).Replace("machines:\n"+
		"  - {name: vcenter01, products: [vCenter 4.1], addresses: [10.20.0.5]}\n"+
		"  - {name: esx01, products: [ESX 4.1], managed-by: vcenter01, cluster: NAME, site: NAME, addresses: [10.20.0.11]}\n"+
		"  - {name: NAME, products: [ESX 4.1], managed-by: vcenter01, cluster: NAME, addresses: [10.20.0.12]}\n"+
		"networks:\n  - {prefix: 10.20.9.0/24, name: NAME, roles: [client-pc]}\nsites: [NAME]\n")))
	l.catalog = l.put(t, ".csv", hostileCatalog(t, s))
	l.accepted = l.put(t, ".exceptions", []byte(strings.ReplaceAll("exceptions:\n"+
		"  - id: NAME\n    selector: {src: 10.20.7.77, dst: 10.20.0.11, transport: tcp, port: 23}\n"+
		"    justification: NAME\n    owner: NAME\n    approver: bob\n    created: 2015-10-01\n    expires: 2015-12-31\n"+
		"    ticket: NAME\n    controls: [NAME]\n", "NAME", quotedYAML(s))))
	return l
}

// put writes a file whose name holds as much of the string as a file system takes.
func (l *hostileLab) put(t *testing.T, extension string, data []byte) string {
	t.Helper()
	const longest = 200
	name := strings.NewReplacer("/", "_", "\x00", "_").Replace(l.s)
	name = name[:min(len(name), longest)] + extension
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(name, "-") { // not a flag
		return "." + string(filepath.Separator) + name
	}
	return name
}

// quotedYAML writes a string in double quotes; what YAML cannot hold stays as it is, and is refused.
func quotedYAML(s string) string {
	if !utf8.ValidString(s) {
		return `"` + s + `"`
	}
	quoted, _ := json.Marshal(s) // a string always encodes
	return string(quoted)
}

func hostileCatalog(t *testing.T, s string) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("# document: " + strings.NewReplacer("\n", "", "\r", "").Replace(s) + "\n")
	w := csv.NewWriter(&b)
	w.WriteAll([][]string{
		{"id", "product", "ports", "transport", "source", "target", "purpose", "source_printed", "target_printed", "note"},
		{"X1", "ESX 4.x", "8443", "TCP", "client-pc", "hypervisor-host", s, s, s, s},
	})
	if err := w.Error(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// hostileCapture is a pcapng file of the lab whose interface and comments hold the string.
func hostileCapture(t *testing.T, s string) []byte {
	t.Helper()
	story, err := capturetest.Parse("hostile", `host esx01 10.20.0.11
host esx02 10.20.0.12
host vcenter01 10.20.0.5
host admin 10.20.9.20
host stranger 10.20.7.77
0         arp esx01 > vcenter01 reply
0         arp esx02 > vcenter01 reply
0..200/10 esx01:* > vcenter01:902/udp 334
2         admin:50100 > esx02:8443/tcp session 800 4000
20        stranger:51000 > esx01:23/tcp session 60 400
end 200
`)
	if err != nil {
		t.Fatal(err)
	}
	w := &blockWriter{}
	const comment, hardware, os, application = 1, 2, 3, 4
	w.block(0x0a0d0d0a, w.options(append([]byte{0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0}, bytes.Repeat([]byte{0xff}, 8)...), s, comment, hardware, os, application))
	const name, description, filter, system = 2, 3, 11, 12
	iface := w.options([]byte{1, 0, 0, 0, 0, 0, 4, 0}, s, comment, name, description, system)
	iface = w.option(iface[:len(iface)-4], filter, "\x00"+s)
	w.block(1, w.option(iface, 0, ""))
	w.block(4, w.names(s))
	for _, f := range story.Frames() {
		micros := f.Time.UnixMicro()
		body := binary.LittleEndian.AppendUint32(make([]byte, 4), uint32(micros>>32))
		body = binary.LittleEndian.AppendUint32(body, uint32(micros))
		body = binary.LittleEndian.AppendUint32(body, uint32(len(f.Data)))
		body = binary.LittleEndian.AppendUint32(body, uint32(f.WireLen))
		body = padded(append(body, f.Data...))
		w.block(6, w.options(body, s[:min(len(s), 64)], comment))
	}
	return w.data
}

// blockWriter writes pcapng, little endian.
type blockWriter struct{ data []byte }

func (w *blockWriter) block(kind uint32, body []byte) {
	length := uint32(len(body) + 12)
	w.data = binary.LittleEndian.AppendUint32(w.data, kind)
	w.data = binary.LittleEndian.AppendUint32(w.data, length)
	w.data = append(w.data, body...)
	w.data = binary.LittleEndian.AppendUint32(w.data, length)
}

// options appends options that all say the same, and the end.
func (w *blockWriter) options(body []byte, says string, codes ...uint16) []byte {
	for _, code := range codes {
		body = w.option(body, code, says)
	}
	return w.option(body, 0, "")
}

// option appends one option: as much of it as 16 bits count.
func (w *blockWriter) option(body []byte, code uint16, says string) []byte {
	says = says[:min(len(says), 1<<16-4)]
	body = binary.LittleEndian.AppendUint16(body, code)
	body = binary.LittleEndian.AppendUint16(body, uint16(len(says)))
	return padded(append(body, says...))
}

// names returns the body of a name resolution block that gives esx01 the string as its name.
func (w *blockWriter) names(says string) []byte {
	record := append([]byte{10, 20, 0, 11}, says[:min(len(says), 60000)]...)
	record = append(record, 0)
	body := binary.LittleEndian.AppendUint16(nil, 1)
	body = binary.LittleEndian.AppendUint16(body, uint16(len(record)))
	body = padded(append(body, record...))
	return append(body, 0, 0, 0, 0)
}

func padded(b []byte) []byte { return append(b, make([]byte, -len(b)&3)...) }

// outputs runs everything that shows a string of somebody else's, and returns what it wrote by what it is.
func (l *hostileLab) outputs(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	flowvet := func(name string, args ...string) int {
		var stdout, stderr bytes.Buffer
		status := run(args, strings.NewReader(""), &stdout, &stderr)
		if status == statusInternal {
			t.Fatalf("%s of %q: %s", name, abridged(l.s), stderr.String())
		}
		all[name], all[name+", stderr"] = stdout.String(), stderr.String()
		return status
	}
	base := []string{"check", l.capture, "--as-of", "2015-10-21T12:00:00Z"}
	// What a file of the user's may not hold is refused in a message; the report is then made without that file.
	for _, f := range []struct{ flag, path string }{{"--inventory", l.inventory}, {"--catalog", l.catalog}, {"--exceptions", l.accepted}} {
		with := append(slices.Clone(base), f.flag, f.path)
		if flowvet("judged with "+f.flag, with...) != statusUsage {
			base = with
			l.arrived = append(l.arrived, f.flag)
		}
	}
	for _, format := range report.Names() {
		flowvet(format, append(slices.Clone(base), "--format", format, "--color", "never", "-v")...)
	}
	flowvet("coloured", append(slices.Clone(base), "--color", "always", "-v")...)
	const evidence, flows = "evidence.jsonl", "recorded.flows"
	if err := os.WriteFile(evidence, []byte(all["jsonl"]), 0o600); err != nil {
		t.Fatal(err)
	}
	flowvet("verified", "verify", evidence)
	flowvet("recorded", "record", l.capture, "-o", flows)
	flowvet("judged again", "check", flows, "--as-of", "2015-10-21T12:00:00Z", "--color", "never")
	flowvet("suggested", "inventory", "suggest", l.capture)
	flowvet("inventory linted", "inventory", "lint", l.inventory)
	flowvet("catalogue linted", "catalog", "lint", l.catalog)
	flowvet("row looked up", "catalog", "8443/tcp", "--catalog", l.catalog)
	flowvet("catalogue", "catalog", "X1", "--catalog", l.catalog, "--csv")
	flowvet("catalogue as JSON", "catalog", "X1", "--catalog", l.catalog, "--json")
	argument := strings.ReplaceAll(l.s, "\x00", "") // no argument of a process holds one
	flowvet("asked", "catalog", argument)
	flowvet("told", argument)
	flowvet("flags", "check", l.capture, "--"+argument, "--format", argument)
	flowvet("narrowed", append(slices.Clone(base), "--machine", argument, "--during", argument, "--sees", argument, "--capture-filter", argument)...)
	flowvet("missing", "check", "missing"+argument[:min(len(argument), 200)])
	return all
}

// holds looks at an output as the program that reads it would.
func holds(t *testing.T, name, s, out string) {
	t.Helper()
	switch name {
	case "json", "sarif":
		if out != "" && !json.Valid([]byte(out)) {
			t.Errorf("%s of %q is no JSON", name, abridged(s))
		}
	case "jsonl":
		for line := range strings.Lines(out) {
			if !json.Valid([]byte(line)) {
				t.Errorf("a line of the evidence of %q is no JSON: %s", abridged(s), line)
			}
		}
	case "junit":
		wellFormed(t, s, out)
	case "csv":
		noFormula(t, s, out)
	case "markdown":
		noMarkup(t, s, out)
	case "html":
		noElement(t, s, out)
	}
}

func wellFormed(t *testing.T, s, out string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(out))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Errorf("the JUnit report of %q: %v", abridged(s), err)
			return
		}
		switch token := token.(type) {
		case xml.StartElement:
			if n := token.Name.Local; n == "script" || n == "img" || n == "svg" || n == "iframe" {
				t.Errorf("the JUnit report of %q has an element <%s>", abridged(s), n)
			}
		case xml.Directive:
			t.Errorf("the JUnit report of %q has a directive", abridged(s))
		}
	}
}

func noFormula(t *testing.T, s, out string) {
	t.Helper()
	lines, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil {
		t.Errorf("the CSV report of %q: %v", abridged(s), err)
	}
	for i, line := range lines {
		for _, cell := range line {
			if first, _ := utf8.DecodeRuneInString(strings.TrimSpace(cell)); strings.ContainsRune("=+-@＝＋－＠", first) && cell != "" {
				t.Errorf("line %d of the CSV report of %q holds the formula %q", i+1, abridged(s), cell)
			}
		}
	}
}

// noElement wants no element, comment, declaration or address of somebody else's in a page.
func noElement(t *testing.T, s, out string) {
	t.Helper()
	for _, live := range []string{
		"<script>alert", "<script>1", "<img src=x", "<svg/", "<iframe", "<![CDATA", "<?xml", "<!DOCTYPE a", "<details open ontoggle", "href=\"javascript:",
		"href=\"http://evil", "src=\"http://evil",
	} {
		if at := strings.Index(out, live); at >= 0 {
			t.Errorf("the page of %q holds %s: %q", abridged(s), live, out[max(0, at-40):min(len(out), at+40)])
		}
	}
}

// noMarkup wants no HTML of somebody else's in a Markdown report, and no link or picture.
func noMarkup(t *testing.T, s, out string) {
	t.Helper()
	for _, live := range []string{"<script", "<img", "<svg", "<iframe", "<!--", "<![CDATA", "</title", "<?xml", "<details open ontoggle"} {
		if at := strings.Index(out, live); at >= 0 && out[max(0, at-1)] != '\\' {
			t.Errorf("the Markdown report of %q holds %s: %q", abridged(s), live, out[max(0, at-40):min(len(out), at+40)])
		}
	}
	for _, live := range []string{"](javascript:", "](http://evil"} {
		if at := strings.Index(out, live); at >= 0 && out[max(0, at-1)] != '\\' {
			t.Errorf("the Markdown report of %q holds a link: %q", abridged(s), strconv.Quote(out[max(0, at-40):min(len(out), at+40)]))
		}
	}
}
