package catalog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// parse does what Load does for one catalogue that is in memory; name stands for the file.
func parse(builtin bool, name string, data []byte) (*Catalog, error) {
	l := newLoader(builtin)
	l.add(name, data, false)
	l.finish()
	return l.result()
}

const goodHeader = "id,product,ports,transport,source,target\n"

// mine is a catalogue as the package comment shows it.
const mine = `# document: vSphere 7 ports, as our network team keeps them
# product: vSphere 7, family vSphere, versions 7-7, role hypervisor-host, aliases ESXi-next
# role: backup-proxy is-a vi-client
# just a remark: not read

target,source,transport,ports,product,id,class,period,purpose
vcenter-server,hypervisor-host,udp,902,vSphere 7,V7-1,always,10,heartbeat
Hypervisor-Host,"hypervisor-host","TCP/UDP",8182,vSphere 7,V7-2,if-used:ha,60,"cluster agents, new"
hypervisor-host,backup-proxy|vi-client,TCP,900 to 901,vSphere 7,V7-3,,,
`

func TestAUsersCatalogueIsRead(t *testing.T) {
	for name, text := range map[string]string{
		"as written":                       mine,
		"with a byte order mark and CRLF":  "\ufeff" + strings.ReplaceAll(mine, "\n", "\r\n"),
		"without a line feed at the end":   strings.TrimSuffix(mine, "\n"),
		"with an empty line in the middle": strings.Replace(mine, "\nHyper", "\n\nHyper", 1),
	} {
		c, err := parse(true, "dir/mine.csv", []byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(c.Rows) != 346 || len(c.Sources) != 2 || c.Sources[1].Rows != 3 {
			t.Errorf("%s: got %d rows of %+v", name, len(c.Rows), c.Sources)
		}
		heartbeat := c.Row("V7-1")
		if got, want := heartbeat.Sentence(), "vSphere 7 V7-1: hypervisor-host -> vcenter-server, 902/udp, heartbeat"; got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
		if heartbeat.Period != 10*time.Second || heartbeat.Class.Kind != Always || !heartbeat.OnWire || heartbeat.OneWay {
			t.Errorf("%s: got %+v", name, heartbeat)
		}
		if got, want := heartbeat.Origin.Document, "vSphere 7 ports, as our network team keeps them"; got != want {
			t.Errorf("%s: got document %q, want %q", name, got, want)
		}
		if got, want := c.Row("V7-3").Service(), "900-901/tcp"; got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestADeclaredProductIsAProduct(t *testing.T) {
	c, err := parse(true, "mine.csv", []byte(mine))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"vSphere 7.0 U3", "ESXi-next 7"} {
		d, err := c.Deployed(text)
		if err != nil || c.Cover(d, "vSphere 7") != CoverFull || !c.Known(d) {
			t.Errorf("%s: got %+v, %v, cover %d", text, d, err, c.Cover(d, "vSphere 7"))
		}
	}
	if info, ok := c.RoleInfo("backup-proxy"); !ok || !info.Client || info.VMware || !c.IsA("backup-proxy", "client-pc") {
		t.Errorf("got role %+v", info)
	}
}

func TestADeclaredProductJoinsAFamily(t *testing.T) {
	c, err := parse(true, "five.csv", []byte("# role: sensor\n# product: NSX Sensor, role sensor\n"+
		"# product: ESX 5.x, family ESX Server, versions 5, inherits ESX 4.x\n"+goodHeader+
		"E5,ESX 5.x,8182,TCP,hypervisor-host,sensor\n"))
	if err != nil {
		t.Fatal(err)
	}
	d := Deployed{"ESX", "5.1"}
	for product, want := range map[string]Cover{"ESX 5.x": CoverFull, "ESX 4.x": CoverFull, "ESX 3.x": CoverOther} {
		if got := c.Cover(d, product); got != want {
			t.Errorf("ESX 5.1 for a row of %s: got %d, want %d", product, got, want)
		}
	}
	if role, refined := c.RoleOf(d); role != "hypervisor-host" || refined != "esx-classic" {
		t.Errorf("ESX 5.1 is a %s, %s", role, refined)
	}
	if info, _ := c.RoleInfo("sensor"); !info.VMware {
		t.Error("a role that is a product makes no VMware machine")
	}
	if info, _ := Default().RoleInfo("sensor"); info.Role != "" {
		t.Error("a user's role is in the embedded catalogue")
	}
}

func TestFilesAreAddedInOrder(t *testing.T) {
	dir := t.TempDir()
	var files []string
	for _, name := range []string{"b", "a"} {
		file := filepath.Join(dir, name+".csv")
		if err := os.WriteFile(file, []byte(goodHeader+name+",ESX 4.x,1,TCP,esxi,dns-server\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	c, err := Load(false, files...)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Rows) != 2 || c.Rows[0].ID != "b" || c.Rows[1].ID != "a" || c.Rows[0].Origin != (Origin{"b.csv", 2, false}) {
		t.Errorf("got %+v", c.Rows)
	}
	if c.SHA256() == Default().SHA256() {
		t.Error("two catalogues have one digest")
	}
	_, err = Load(true, files[0], files[0])
	if want := files[0] + `:2: column "id": "b": is taken already: by ` + files[0] + ":2"; err == nil || err.Error() != want {
		t.Errorf("a file given twice: got %v, want %s", err, want)
	}
}

func TestTheEmbeddedIDsAreFreeWithoutIt(t *testing.T) {
	if _, err := parse(false, "all.csv", portsCSV); err != nil {
		t.Errorf("the embedded file as a user's: %v", err)
	}
}

func TestBadCataloguesGiveOneClearLine(t *testing.T) {
	row := func(cells string) string { return goodHeader + cells + "\n" }
	with := func(column, value string) string {
		return "id,product,ports,transport,source,target," + column + "\nX1,ESX 4.x,80,TCP,esxi,dns-server," + value + "\n"
	}
	for _, test := range []struct{ what, text, want string }{
		{"port 0", row("X1,ESX 4.x,0,TCP,esxi,dns-server"), `:2: column "ports": "0": a port is 1-65535`},
		{"port 65536", row("X1,ESX 4.x,65536,TCP,esxi,dns-server"), `:2: column "ports": "65536": a port is 1-65535`},
		{"no port", row("X1,ESX 4.x,,TCP,esxi,dns-server"), `:2: column "ports": a port is 1-65535`},
		{"a negative port", row("X1,ESX 4.x,-1,TCP,esxi,dns-server"), `:2: column "ports": "-1": a port is 1-65535`},
		{"a reversed range", row("X1,ESX 4.x,90-80,TCP,esxi,dns-server"), `:2: column "ports": "90-80": the range is reversed: the lower port stands first`},
		{"two ports", row(`X1,ESX 4.x,"80,90",TCP,esxi,dns-server`), `:2: column "ports": "80,90": one port or one range a row: write a row for each`},
		{"a wrong transport", row("X1,ESX 4.x,80,SCTP,esxi,dns-server"), `:2: column "transport": "SCTP": a transport is TCP, UDP or TCP/UDP`},
		{"an unknown role", row("X1,ESX 4.x,80,TCP,esxj,dns-server"), `:2: column "source": "esxj": unknown role: did you mean "esxi"?`},
		{"a role twice", row("X1,ESX 4.x,80,TCP,esxi|esxi,dns-server"), `:2: column "source": "esxi": stands here twice`},
		{"no role", row("X1,ESX 4.x,80,TCP,esxi,"), `:2: column "target": is empty: name a role of roles.csv`},
		{"an unknown product", row("X1,EXS 4.x,80,TCP,esxi,dns-server"), `:2: column "product": "EXS 4.x": unknown product: did you mean "ESX 4.x"?`},
		{"no product", row("X1,,80,TCP,esxi,dns-server"), `:2: column "product": is empty: name the product the row is printed for`},
		{"no id", row(",ESX 4.x,80,TCP,esxi,dns-server"), `:2: column "id": is no id: an id has letters, digits and . _ -, at most 64`},
		{"an embedded id", row("R001,ESX 4.x,80,TCP,esxi,dns-server"), `:2: column "id": "R001": is taken already: by the embedded catalogue`},
		{"an id twice", row("X1,ESX 4.x,80,TCP,esxi,dns-server\nX1,ESX 4.x,81,TCP,esxi,dns-server"), `:3: column "id": "X1": is taken already: by bad.csv:2`},
		{"an unknown class", with("class", "somtimes"), `:2: column "class": "somtimes": unknown class: write always, optional, if-used:SERVICE, during:OPERATION or internal:PRODUCT`},
		{"a misspelt class", with("class", "if-usd:ha"), `:2: column "class": "if-usd:ha": unknown class: did you mean "if-used"?`},
		{"a class without its word", with("class", "during"), `:2: column "class": "during": during needs a word in lower case: write for example during:vmotion`},
		{"a class with a word too many", with("class", "always:ha"), `:2: column "class": "always:ha": always stands alone`},
		{"an unknown plane", with("plane", "vmotoin"), `:2: column "plane": "vmotoin": is none of mgmt, vmotion, ft, storage, bmc: did you mean "vmotion"?`},
		{"an unknown listener", with("listener", "both"), `:2: column "listener": "both": is none of target, source, either`},
		{"a period in words", with("period", "often"), `:2: column "period": "often": a period is event or whole seconds from 1 to 2678400`},
		{"a period of nothing", with("period", "0"), `:2: column "period": "0": a period is event or whole seconds from 1 to 2678400`},
		{"a unicast group", with("cast", "10.0.0.1"), `:2: column "cast": "10.0.0.1": is no multicast address: write broadcast, or a group such as 239.255.255.253`},
		{"an internal row on a wire", "id,product,ports,transport,source,target,class,on_wire\nX1,ESX 4.x,80,TCP,esxi,esxi,internal:esx,y\n", `:2: column "on_wire": "y": does not fit class internal:esx: a row of class internal is never on a wire, any other is`},
		{"a reading without an erratum", with("alt", "exchange"), `:2: column "alt": "exchange": stands in a row without an erratum: write y under erratum`},
		{"a strange end", with("ends", "middle>=4"), `:2: column "ends": "middle>=4": an end is source>=4 or target>=4`},
		{"a strange service", with("insecure", "telnt"), `:2: column "insecure": "telnt": is none of cim-http, ftp, nfs, smb, telnet: did you mean "telnet"?`},
		{"a missing column", "id,product,ports,transport,source\n", `:1: column "target": is required and missing`},
		{"an unknown column", "id,product,ports,transport,source,target,puprose\n", `:1: column "puprose": is no column of a catalogue: did you mean "purpose"?`},
		{"a column twice", "id,product,ports,transport,source,target,id\n", `:1: column "id": stands here twice`},
		{"semicolons", "id;product;ports\n", ":1: the columns are not separated by commas: export the table as comma-separated values"},
		{"a cell too many", row("X1,ESX 4.x,80,TCP,esxi,dns-server,more"), ":2: 7 cells under 6 columns: a cell with a comma is written in quotes"},
		{"a cell too few", row("X1,ESX 4.x,80,TCP"), ":2: 4 cells under 6 columns: a cell with a comma is written in quotes"},
		{"a bare quote", row(`X1,ESX "4.x,80,TCP,esxi,dns-server`), `:2: bare " in non-quoted-field: a cell with a quote is written "so ""to say"""`},
		{"an open quote", row(`X1,"ESX 4.x,80,TCP,esxi,dns-server`), `:2: extraneous or missing " in quoted-field: a cell with a quote is written "so ""to say"""`},
		{"a cell over two lines", row("X1,\"ESX\n4.x\",80,TCP,esxi,dns-server"), ":2: a cell goes on in the next line: one row is one line"},
		{"nothing", "", ": has no rows: the first line names the columns: id,product,ports,transport,source,target"},
		{"only comments", "# hello\n", ": has no rows: the first line names the columns: id,product,ports,transport,source,target"},
		{"a NUL byte", row("X1,ESX\x00 4.x,80,TCP,esxi,dns-server"), ":2: holds a NUL byte: a catalogue is a text file"},
		{"an escape sequence", row("X1,ESX 4.x,80,TCP,esxi,dns-server\x1b[2J"), ":2: holds a control character: a catalogue is a text file"},
		{"a lone carriage return", "id,product\rX1", ":1: holds a lone carriage return: end lines with LF or CRLF"},
		{"Latin-1", row("X1,ESX 4.x,80,TCP,esxi,dns-server\xe9"), ":2: is no UTF-8 text: save it as UTF-8"},
		{"UTF-16", "\xff\xfei\x00d\x00", ": is written in UTF-16: save it as UTF-8"},
		{"more than 4 MiB", strings.Repeat("#\n", 2<<20) + "##", ": is larger than 4 MiB: split it into several catalogues"},
		{"a bad role", "# role: Über is-a client-pc\n" + goodHeader, `:1: "Über": is no name for a role: write # role: NAME is-a PARENT, the name in lower case such as backup-proxy`},
		{"a role that is there", "# role: esxi\n" + goodHeader, `:1: "esxi": the role is known already`},
		{"a role without parents", "# role: x1 is-a hypervisor-hots\n" + goodHeader, `:1: "hypervisor-hots": unknown role: did you mean "hypervisor-host"?`},
		{"a role in a circle", "# role: x1 is-a x2\n# role: x2 is-a x1\n" + goodHeader, `:1: "x1": the role is its own ancestor`},
		{"a product that is there", "# product: ESX 4.x\n" + goodHeader, `:1: "ESX 4.x": the product is known already`},
		{"a product without a role", "# product: NSX 6, family NSX\n" + goodHeader, `:1: "NSX 6": the product has no role: add the role that is the product: role ROLE`},
		{"a product of an unknown role", "# product: NSX 6, role nsx-manager\n" + goodHeader, `:1: "nsx-manager": unknown role: did you mean "snmp-manager"?`},
		{"a product of odd versions", "# product: NSX 6, versions 7-6\n" + goodHeader, `:1: "7-6": versions are major numbers such as 7 or 6-7`},
		{"a product with an odd property", "# product: NSX 6, rôle dns-server\n" + goodHeader, `:1: "rôle": is no property of a product: did you mean "role"?`},
		{"a product that inherits itself", "# product: A 1, role esxi, inherits B 1\n# product: B 1, role esxi, inherits A 1\n" + goodHeader, `:1: "A 1": the product inherits itself`},
		{"a product that inherits nothing known", "# product: A 1, role esxi, inherits ESX 4\n" + goodHeader, `:1: "ESX 4": unknown product: did you mean "ESX 4.x"?`},
		{"a product that refines elsewhere", "# product: A 1, role esxi, refines dns-server\n" + goodHeader, `:1: "dns-server": is no descendant of "esxi": a product refines its role to one of the role's kind`},
		{"an alias of another family", "# product: A 1, role esxi, aliases VUM\n" + goodHeader, `:1: "VUM": is already a name of "Update Manager"`},
		{"a family with and without versions", "# product: ESX all, family ESX\n" + goodHeader, `:1: "ESX all": the family has products with versions and without: add the versions it covers: versions 7-7`},
		{"two documents", "# document: a\n# document: b\n" + goodHeader, `:2: "b": a second document: one file is one document`},
	} {
		t.Run(test.what, func(t *testing.T) {
			_, err := parse(true, "bad.csv", []byte(test.text))
			if want := "bad.csv" + test.want; err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			var p Problem
			if err != nil && (!errors.As(err, &p) || p.File != "bad.csv") {
				t.Errorf("got a %T", err)
			}
		})
	}
}

func TestUnreadableFilesAreNamed(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{filepath.Join(dir, "none.csv"), dir} {
		_, err := Load(true, name)
		if err == nil || strings.Count(err.Error(), name) != 1 || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestTheFirstProblemIsThatOfTheFirstLine(t *testing.T) {
	text := goodHeader + "X1,ESX 4.x,0,TCP,esxi,dns-server\n" + "too,few\n"
	if _, err := parse(true, "bad.csv", []byte(text)); err == nil || !strings.HasPrefix(err.Error(), "bad.csv:2:") {
		t.Errorf("got %v, want the problem of line 2", err)
	}
}

func TestErrorsQuoteNoMoreThanALine(t *testing.T) {
	text := goodHeader + "X1,ESX 4.x,80,TCP," + strings.Repeat("a", 1<<20) + ",dns-server\n"
	_, err := parse(true, "bad.csv", []byte(text))
	if err == nil || len(err.Error()) > 300 {
		t.Errorf("got an error of %d bytes", len(fmt.Sprint(err)))
	}
}

func TestOverlapsAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString(goodHeader)
	for i := range 40_000 {
		fmt.Fprintf(&b, "X%d,ESX 4.x,%d-65535,TCP,esxi,dns-server\n", i, i+1)
	}
	_, err := parse(true, "wide.csv", []byte(b.String()))
	want := "wide.csv: the port ranges of its rows overlap too much: state fewer or narrower ranges"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestManyRowsAreRead(t *testing.T) {
	var b strings.Builder
	b.WriteString(goodHeader)
	for i := range maxRows {
		fmt.Fprintf(&b, "%d,VCB,%d,TCP,esxi,esxi\n", i, i%65535+1)
	}
	text := strings.ReplaceAll(b.String(), "VCB", "ESX 4.x")
	c, err := parse(false, "many.csv", []byte(text))
	if err != nil || len(c.Rows) != maxRows {
		t.Fatalf("got %v", err)
	}
	_, err = parse(false, "many.csv", []byte(text+"one-more,ESX 4.x,1,TCP,esxi,esxi\n"))
	if want := "many.csv:100002: is past the 100,000th row: split the file into several catalogues"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
