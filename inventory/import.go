package inventory

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"flowvet/catalog"
)

// Source is what one file of somebody else's says of machines: who has which address, and what runs there. [Merge] makes
// an inventory of it.
type Source struct {
	Name   string
	Format Format
	Notes  []string // what was left out, and why: one line each
	Groups []string // of an Ansible inventory

	machines []*imported
}

// MaxSourceSize is the size in bytes above which a source is refused: a workbook of 50,000 machines has 30 MB.
const MaxSourceSize = 64 << 20

// maxImported caps the machines of one source, and its addresses. An inventory of [MaxFileSize] holds a tenth of them.
const maxImported = 250_000

// Where is a place in a file: a line, or a row of a sheet.
type Where struct {
	File  string
	Sheet string // of a workbook; empty: the file is text
	Line  int    // 1-based line or row; 0: it is no file with lines
}

// String returns "hosts:12", or "export.xlsx:vHost:12" for a row of a sheet.
func (w Where) String() string {
	switch {
	case w.Line == 0:
		return w.File
	case w.Sheet != "":
		return fmt.Sprintf("%s:%s:%d", w.File, w.Sheet, w.Line)
	}
	return fmt.Sprintf("%s:%d", w.File, w.Line)
}

// said is a piece of text and where it stands.
type said struct {
	text  string
	at    Where
	fresh bool // came with an import; valid in a member
}

// given reports whether it was said at all.
func (s said) given() bool { return s.text != "" }

// field is a key of a machine that has one value.
type field int

// The fields of a machine, in the order in which they are written.
const (
	cluster field = iota
	site
	managedBy
	managed
	fields
)

// String returns the key in an inventory.
func (f field) String() string { return [...]string{"cluster", "site", "managed-by", "managed"}[f] }

// facts is what is said of a machine besides its name and addresses.
type facts struct {
	single         [fields]said
	products, uses []said
}

// imported is a machine as a source knows it.
type imported struct {
	facts
	name    said
	aliases []string
	roles   []said // of each of its addresses
	addrs   []importedAddr
	guess   string // why it is taken for what it is; empty: the source knows
	spare   bool   // nobody asked for it: it is of use where something else names it
}

// importedAddr is an address of an imported machine.
type importedAddr struct {
	addr    netip.Addr
	at      Where
	plane   said
	guessed bool // the plane is
	roles   []said
	note    string // for the person who reads the inventory
}

// leftOut counts what a source holds and an inventory does not, by reason.
type leftOut map[string]int

// notes returns a line a reason, in order.
func (l leftOut) notes(file string) []string {
	var lines []string
	for _, reason := range slices.Sorted(maps.Keys(l)) {
		lines = append(lines, fmt.Sprintf("%s: left out: %s: %d", file, reason, l[reason]))
	}
	return lines
}

// noHost says why an address is no machine's in a network, though a file may well hold it; else it returns "".
func noHost(a netip.Addr) string {
	switch {
	case a.IsLoopback():
		return "addresses of a machine to itself (loopback)"
	case a.IsMulticast(), a == limitedBroadcast():
		return "addresses of groups"
	case a.IsUnspecified():
		return "addresses that mean none (0.0.0.0, ::)"
	case a.IsLinkLocalUnicast():
		return "addresses that are valid on one link only"
	}
	return ""
}

// badName says why a machine cannot be called so, or returns "".
func badName(name string) string {
	switch {
	case name == "":
		return "is empty"
	case strings.TrimSpace(name) != name:
		return "has spaces around it"
	case len(name) > maxName:
		return fmt.Sprintf("is longer than %d bytes", maxName)
	case !utf8.ValidString(name), strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "holds a character that cannot be printed"
	}
	return ""
}

// SourceOptions say how a source is to be read.
type SourceOptions struct {
	Format Format            // empty: as [Recognise] says
	Groups map[string]string // of an Ansible inventory: a group's name to a role, or a product with its version
}

// ReadSource reads a file that names machines. The error is [Problems] where the file could be read and not used.
func ReadSource(name string, data []byte, o SourceOptions, c *catalog.Catalog) (*Source, error) {
	p := &problems{file: name}
	format := o.Format
	if format == "" {
		format = Recognise(data)
	}
	r := &sourceReader{problems: p, source: &Source{Name: name, Format: format}, left: leftOut{}, words: newVocabulary(p, c)}
	if len(data) > MaxSourceSize {
		p.addf(0, "is larger than %d MiB: no list of machines is", MaxSourceSize>>20)
		return nil, p.err()
	}
	r.read(data, o)
	if err := p.err(); err != nil {
		return nil, err
	}
	r.source.Notes = append(r.source.Notes, r.left.notes(name)...)
	return r.source, nil
}

// sourceReader turns a file into machines, and notes what is wrong with it.
type sourceReader struct {
	*problems
	source *Source
	left   leftOut
	words  *vocabulary
	given  int // addresses
}

// give gives a machine an address. Beyond the cap the file is refused, once.
func (r *sourceReader) give(m *imported, a importedAddr) {
	switch r.given++; {
	case r.given <= maxImported:
		m.addrs = append(m.addrs, a)
	case r.given == maxImported+1:
		r.addf(a.at.Line, "names more than %d addresses", maxImported)
	}
}

// read hands the file to the reader of its format.
func (r *sourceReader) read(data []byte, o SourceOptions) {
	const excel97 = "\xd0\xcf\x11\xe0"
	switch {
	case bytes.HasPrefix(data, []byte(excel97)):
		r.addf(0, "is a workbook of Excel 97: export it as xlsx or csv")
		return
	case r.source.Format == FormatRVTools && isWorkbook(data):
		r.readWorkbook(data)
		return
	}
	text, ok := r.sourceText(data)
	if !ok {
		return
	}
	switch r.source.Format {
	case FormatCSV:
		r.readInventoryCSV(text)
	case FormatHosts:
		r.readHosts(text)
	case FormatRVTools:
		r.readRVToolsCSV(text)
	case FormatAnsible:
		r.readAnsible(text, o.Groups)
	default:
		if strings.HasPrefix(firstLine(text), "machines:") {
			r.addf(0, "is an inventory of flowvet's own already: name it with --into")
			return
		}
		r.addf(0, "is of no format that is recognised: name one with --format: %s", FormatList())
	}
}

// sourceText returns a text file's content, or notes why it is none.
func (r *sourceReader) sourceText(data []byte) ([]byte, bool) {
	most := MaxSourceSize
	if r.source.Format == FormatCSV {
		most = MaxFileSize
	}
	text, ok := r.plainText(data, most, "list of machines")
	if ok && len(bytes.TrimSpace(text)) == 0 {
		r.addf(0, "is empty: there is nothing to import")
		return nil, false
	}
	return text, ok
}

// where returns a place in a text file.
func (r *sourceReader) where(line int) Where { return Where{File: r.file, Line: line} }

// add keeps a machine. Beyond the cap the file is refused, once.
func (r *sourceReader) add(m *imported) {
	switch n := len(r.source.machines); {
	case n < maxImported:
		r.source.machines = append(r.source.machines, m)
	case len(r.list) == 0:
		r.addf(m.name.at.Line, "names more than %d machines", maxImported)
	}
}
