package match

import (
	"strings"
	"testing"
	"time"

	"flowvet/capture"
	"flowvet/capture/capturetest"
	"flowvet/catalog"
	"flowvet/inventory"
)

const telnetException = `exceptions:
  - id: EX-1
    selector: {verdicts: [unlisted-port], src: X, dst: E1, transport: tcp, port: 23}
    justification: the old console server
    owner: alice
    approver: bob
    created: 2015-01-01
    expires: EXPIRES
`

// telnet judges X's telnet to E1 under an exception that expires as said.
func telnet(t *testing.T, expires string, asOf time.Time) (*Result, error) {
	t.Helper()
	c := vectorCatalog(t)
	inv, err := inventory.Load("testdata/vectors/inventory.yaml", c)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("EXPIRES", expires, "src: X", "src: 10.0.200.1").Replace(telnetException)
	exceptions, err := ParseExceptions("exceptions.yaml", []byte(text), c, inv)
	if err != nil {
		return nil, err
	}
	story, err := capturetest.Parse("telnet", hosts+"0 arp E1 > V reply\n2 X:40001 > E1:23/tcp session 20 20\nend 60\n")
	if err != nil {
		t.Fatal(err)
	}
	return Evaluate(Grounds{Catalog: c, Inventory: inv, Exceptions: exceptions, AsOf: asOf, FailOn: LevelError},
		[]*capture.Capture{read(t, story.Pcap(), false)})
}

// TestVector35 is vector 35: an exception that is active, one that expired yesterday at 24:00 UTC, and a date in another
// spelling.
func TestVector35(t *testing.T) {
	noon := time.Date(2015, 10, 21, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		expires string
		asOf    time.Time
		status  int
		state   string
	}{
		{"2015-10-21", noon, 3, "expiring"},
		{"2015-12-31", noon, 3, "active"},
		{"2015-10-21", time.Date(2015, 10, 21, 23, 59, 59, 0, time.UTC), 3, "expiring"},
		{"2015-10-21", time.Date(2015, 10, 22, 0, 0, 0, 0, time.UTC), 1, "expired"},
		{"2015-10-20", noon, 1, "expired"},
		{"2015-10-21T11:59:59Z", noon, 1, "expired"},
		{"2015-10-21T14:00:01+02:00", noon, 3, "expiring"},
	} {
		r, err := telnet(t, c.expires, c.asOf)
		if err != nil {
			t.Fatal(err)
		}
		f := r.Findings.At(0)
		if f.Verdict != UnlistedPort {
			t.Fatalf("the verdict is rewritten: %s", f.Verdict)
		}
		expired := c.state == "expired"
		if f.Disposition.Excepted() == expired || (f.Disposition.Expired != nil) != expired {
			t.Errorf("expires %s as of %s: disposition %+v", c.expires, c.asOf, f.Disposition)
		}
		if r.Status != c.status || r.Exceptions[0].State != c.state || r.Exceptions[0].Used != 1 {
			t.Errorf("expires %s as of %s: status %d, %s, used %d; want %d, %s, used 1", c.expires, c.asOf, r.Status,
				r.Exceptions[0].State, r.Exceptions[0].Used, c.status, c.state)
		}
	}
	if _, err := telnet(t, "2015/10/21", noon); err == nil ||
		err.Error() != `exceptions.yaml:8: exception "EX-1": expires: "2015/10/21" is no date: write 2015-10-21 or 2015-10-21T16:29:00Z` {
		t.Errorf("another spelling: %v", err)
	}
}

func TestBadExceptions(t *testing.T) {
	c := catalog.Default()
	good := strings.NewReplacer("EXPIRES", "2015-12-31", "src: X", "src: 10.0.200.1", "dst: E1", "dst: 10.0.0.11").Replace(telnetException)
	if _, err := ParseExceptions("x.yaml", []byte(good), c, nil); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []struct{ what, old, with, want string }{
		{"an empty file", good, "", `x.yaml:1: the file is empty: write "exceptions: []" for none`},
		{"UTF-16", good, "\xff\xfee\x00", "x.yaml:1: is not UTF-8: save it as UTF-8"},
		{"a list alone", good, "- a\n", `x.yaml:1: the file: "key: value" lines are expected`},
		{"another key", "exceptions:", "exception:", `x.yaml:1: the file: unknown key "exception": did you mean "exceptions"?`},
		{"no owner", "    owner: alice\n", "", `x.yaml:2: exception "EX-1": owner is missing`},
		{"an empty owner", "owner: alice", "owner: ''", `x.yaml:2: exception "EX-1": owner is missing`},
		{"no approver", "    approver: bob\n", "", `x.yaml:2: exception "EX-1": approver is missing`},
		{"approved by the owner", "approver: bob", "approver: Alice", `x.yaml:6: exception "EX-1": the approver must be somebody else than the owner`},
		{"no reason", "    justification: the old console server\n", "", `x.yaml:2: exception "EX-1": justification is missing`},
		{"no id", "id: EX-1\n    ", "", `x.yaml:2: exception: id is missing`},
		{"no expiry", "    expires: 2015-12-31\n", "", `x.yaml:2: exception "EX-1": expires is missing`},
		{"expires first", "created: 2015-01-01", "created: 2016-01-01", `x.yaml:8: exception "EX-1": expires before it is created`},
		{"a misspelt key", "approver:", "aprover:", `x.yaml:6: exception: unknown key "aprover": did you mean "approver"?`},
		{"a verdict nobody knows", "[unlisted-port]", "[unlisted]", `x.yaml:3: exception "EX-1": verdict "unlisted" is not known: did you mean "unlisted-port"?`},
		{"one selector only", ", dst: 10.0.0.11, transport: tcp, port: 23", "", `x.yaml:3: exception "EX-1": the selector names 1 of src, dst and port: name two, or say blanket: true`},
		{"port 0", "port: 23", "port: 0", `x.yaml:3: exception "EX-1": port "0": a port 1-65535, or a range low-high, is expected`},
		{"a port too high", "port: 23", "port: 65536", `x.yaml:3: exception "EX-1": port "65536": a port 1-65535, or a range low-high, is expected`},
		{"a reversed range", "port: 23", "port: 30-20", `x.yaml:3: exception "EX-1": port "30-20": a port 1-65535, or a range low-high, is expected`},
		{"another transport", "transport: tcp", "transport: sctp", `x.yaml:3: exception "EX-1": transport "sctp": tcp or udp is expected`},
		{"a role nobody knows", "src: 10.0.200.1", "src: dns-sever", `x.yaml:3: exception "EX-1": src: "dns-sever" is no address, prefix, machine of the inventory or role: did you mean "dns-server"?`},
		{"a prefix with host bits", "src: 10.0.200.1", "src: 10.0.200.1/24", `x.yaml:3: exception "EX-1": src: "10.0.200.1/24" has bits behind its prefix: did you mean "10.0.200.0/24"?`},
		{"a row nobody knows", "port: 23}", "port: 23, rows: [R999]}", `x.yaml:3: exception "EX-1": row "R999" is in no catalogue in use`},
		{"the same twice", good, good + strings.TrimPrefix(good, "exceptions:\n"), `x.yaml:9: exception "EX-1": the id stands on line 2 already`},
		{"a second document", good, good + "---\nnonsense: 1\n", "x.yaml: one document is expected: take out what follows the line ---"},
		{"an alias", "[unlisted-port]", "*v", `x.yaml: unknown anchor 'v' referenced`},
	} {
		_, err := ParseExceptions("x.yaml", []byte(strings.Replace(good, bad.old, bad.with, 1)), c, nil)
		switch {
		case err == nil:
			t.Errorf("%s: no error, want %s", bad.what, bad.want)
		case err.Error() != bad.want:
			t.Errorf("%s: got\n\t%s\nwant\n\t%s", bad.what, err, bad.want)
		}
	}
}

func TestTooBroadExceptionsAreNamed(t *testing.T) {
	c := catalog.Default()
	for _, x := range []struct {
		selector string
		broad    bool
	}{
		{"{src: 10.0.0.0/8, port: 23}", true},
		{"{src: 10.0.0.0/24, port: 23}", false},
		{"{dst: '::/0', port: 23}", true},
		{"{src: 10.0.0.1, port: 1-65535}", true},
		{"{src: dns-server, dst: ntp-server}", false},
	} {
		text := "exceptions:\n  - {id: A, selector: " + x.selector + ", justification: j, owner: o, approver: a, created: 2015-01-01, expires: 2016-01-01}\n"
		all, err := ParseExceptions("x.yaml", []byte(text), c, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := all[0].TooBroad(); (got != "") != x.broad {
			t.Errorf("%s: too broad: %q, want %v", x.selector, got, x.broad)
		}
	}
}

// TestAScanIsExceptedOnlyAsAWhole excepts one port of a scan: the group stays open.
func TestAScanIsExceptedOnlyAsAWhole(t *testing.T) {
	var v *vector
	for _, w := range readVectors(t) {
		if w.number == "38" {
			v = w
		}
	}
	for _, c := range []struct {
		port   string
		errors int
	}{{"7003", 1}, {"7000-7059", 0}} {
		g := v.grounds(t)
		text := "exceptions:\n  - {id: A, selector: {src: 10.0.200.1, dst: V, port: " + c.port +
			"}, justification: j, owner: o, approver: a, created: 2015-01-01, expires: 2016-01-01}\n"
		var err error
		if g.Exceptions, err = ParseExceptions("x.yaml", []byte(text), g.Catalog, g.Inventory); err != nil {
			t.Fatal(err)
		}
		r, err := Evaluate(g, v.captures(t))
		if err != nil {
			t.Fatal(err)
		}
		if r.Counts.Errors != c.errors || r.Counts.Excepted != 1-c.errors {
			t.Errorf("port %s excepted: %d errors, %d excepted; want %d, %d", c.port, r.Counts.Errors, r.Counts.Excepted, c.errors, 1-c.errors)
		}
	}
}

// TestAnExceptionIsNotYetInForce looks at a report from before the exception was created.
func TestAnExceptionIsNotYetInForce(t *testing.T) {
	r, err := telnet(t, "2016-01-01", time.Date(2014, 12, 31, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	if r.Status != 1 || r.Findings.At(0).Disposition.Excepted() || r.Exceptions[0].State != "not-yet" {
		t.Errorf("status %d, disposition %+v, state %s", r.Status, r.Findings.At(0).Disposition, r.Exceptions[0].State)
	}
}

func FuzzParseExceptions(f *testing.F) {
	f.Add([]byte(telnetException))
	f.Add([]byte("exceptions: []"))
	f.Add([]byte("exceptions:\n  - *a\n"))
	f.Add([]byte("a: &a [*a, *a]"))
	c := catalog.Default()
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := ParseExceptions("x.yaml", data, c, nil)
		for _, x := range all {
			if err == nil && (x.Owner == "" || x.Approver == "" || x.Expires.IsZero()) {
				t.Errorf("accepted without owner, approver or expiry: %+v", x)
			}
		}
	})
}
