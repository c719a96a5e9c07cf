package match

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
)

// Exception is a decision of people: a finding it selects is excepted until it expires. The verdict stays as it is.
type Exception struct {
	ID            string
	Verdicts      []string // any of; empty: every verdict
	Src, Dst      string   // address, prefix, machine or role; empty: any
	Transport     string   // tcp, udp; empty: any
	Port          string   // "23", "5900-5964"; empty: any
	Rows          []string // any of the rows that the finding cites or comes near; empty: any
	Blanket       bool     // may select by fewer than two of src, dst, port
	Justification string
	Owner         string
	Approver      string
	Created       time.Time
	Expires       time.Time // the exception holds before this instant
	Ticket        string
	Controls      []string
	Line          int

	src, dst selector
	ports    catalog.Ports
}

// selector matches one end of a finding.
type selector struct {
	prefix  netip.Prefix
	machine string
	role    catalog.Role
}

// maxExceptionsSize bounds an exceptions file, in bytes.
const maxExceptionsSize = 4 << 20

// exceptionKeys and selectorKeys are the words an exceptions file may use.
var (
	exceptionKeys = []string{
		"id", "selector", "blanket", "justification", "owner", "approver", "created", "expires", "ticket", "controls",
	}
	selectorKeys = []string{"verdicts", "src", "dst", "transport", "port", "rows"}
)

// ParseExceptions reads an exceptions file (YAML, docs/formats.md). Every error is one line with file:line. Machines are
// those of inv, which may be nil; roles and rows those of c.
func ParseExceptions(name string, data []byte, c *catalog.Catalog, inv *inventory.Inventory) ([]*Exception, error) {
	p := exceptionParser{name: name, cat: c, inv: inv, lines: map[string]int{}}
	if len(data) > maxExceptionsSize {
		return nil, p.errorf(0, "larger than %d bytes", maxExceptionsSize)
	}
	if !utf8.Valid(data) { // YAML may be UTF-16 too, of which no other file of a site's is
		return nil, p.errorf(1, "is not UTF-8: save it as UTF-8")
	}
	var doc yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	err := decoder.Decode(&doc)
	switch {
	case errors.Is(err, io.EOF):
		return nil, p.errorf(1, "the file is empty: write \"exceptions: []\" for none")
	case err != nil:
		return nil, p.yamlError(err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, p.errorf(0, "one document is expected: take out what follows the line ---")
	}
	list, err := p.list(doc.Content[0])
	if err != nil {
		return nil, err
	}
	all := make([]*Exception, 0, len(list.Content))
	for _, n := range list.Content {
		x, err := p.exception(n)
		if err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	return all, nil
}

type exceptionParser struct {
	name  string
	cat   *catalog.Catalog
	inv   *inventory.Inventory
	lines map[string]int // of the exceptions read so far, by id
}

func (p *exceptionParser) errorf(line int, format string, args ...any) error {
	if line == 0 {
		return fmt.Errorf("%s: %s", p.name, fmt.Sprintf(format, args...))
	}
	return fmt.Errorf("%s:%d: %s", p.name, line, fmt.Sprintf(format, args...))
}

// yamlError turns the library's "yaml: line 3: …" into our own file:line.
func (p *exceptionParser) yamlError(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		if number, what, ok := strings.Cut(rest, ": "); ok {
			if line, err := strconv.Atoi(number); err == nil {
				return p.errorf(line, "%s", what)
			}
		}
	}
	return p.errorf(0, "%s", text)
}

// list finds the sequence under the one key "exceptions".
func (p *exceptionParser) list(n *yaml.Node) (*yaml.Node, error) {
	fields, err := p.fields(n, "the file", []string{"exceptions"})
	if err != nil {
		return nil, err
	}
	list := fields["exceptions"]
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil, p.errorf(n.Line, "a list is expected under \"exceptions:\"")
	}
	return list, nil
}

// fields reads a mapping with known keys, each at most once.
func (p *exceptionParser) fields(n *yaml.Node, what string, known []string) (map[string]*yaml.Node, error) {
	if n.Kind != yaml.MappingNode {
		return nil, p.errorf(n.Line, "%s: \"key: value\" lines are expected", what)
	}
	fields := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if !slices.Contains(known, k.Value) {
			return nil, p.errorf(k.Line, "%s: unknown key %q: %s", what, k.Value, suggestion(k.Value, known))
		}
		if fields[k.Value] != nil {
			return nil, p.errorf(k.Line, "%s: %q is given twice", what, k.Value)
		}
		if v.Kind == yaml.AliasNode {
			return nil, p.errorf(v.Line, "%s: aliases are not used here", what)
		}
		fields[k.Value] = v
	}
	return fields, nil
}

// suggestion names the nearest known word, or all of them.
func suggestion(word string, known []string) string {
	if near := catalog.Nearest(word, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "known are " + strings.Join(known, ", ")
}

func (p *exceptionParser) exception(n *yaml.Node) (*Exception, error) {
	f, err := p.fields(n, "exception", exceptionKeys)
	if err != nil {
		return nil, err
	}
	x := &Exception{Line: n.Line}
	what := "exception"
	if f["id"] != nil {
		what = "exception " + strconv.Quote(f["id"].Value)
	}
	for _, s := range []struct {
		key string
		to  *string
	}{{"id", &x.ID}, {"justification", &x.Justification}, {"owner", &x.Owner}, {"approver", &x.Approver}, {"ticket", &x.Ticket}} {
		if *s.to, err = p.scalar(f[s.key], what, s.key, s.key != "ticket", n.Line); err != nil {
			return nil, err
		}
	}
	switch {
	case p.lines[x.ID] > 0:
		return nil, p.errorf(n.Line, "%s: the id stands on line %d already", what, p.lines[x.ID])
	case strings.EqualFold(x.Owner, x.Approver):
		return nil, p.errorf(f["approver"].Line, "%s: the approver must be somebody else than the owner", what)
	}
	p.lines[x.ID] = n.Line
	if x.Created, err = p.time(f["created"], what, "created", n.Line); err != nil {
		return nil, err
	}
	if x.Expires, err = p.time(f["expires"], what, "expires", n.Line); err != nil {
		return nil, err
	}
	if len(f["expires"].Value) == len(time.DateOnly) {
		x.Expires = x.Expires.AddDate(0, 0, 1) // a date ends at 24:00 UTC
	}
	if !x.Expires.After(x.Created) {
		return nil, p.errorf(f["expires"].Line, "%s: expires before it is created", what)
	}
	if f["blanket"] != nil {
		if x.Blanket, err = strconv.ParseBool(f["blanket"].Value); err != nil {
			return nil, p.errorf(f["blanket"].Line, "%s: blanket: true or false is expected", what)
		}
	}
	if x.Controls, err = p.strings(f["controls"], what, "controls"); err != nil {
		return nil, err
	}
	if f["selector"] == nil {
		return nil, p.errorf(n.Line, "%s: selector is missing: say src, dst and port", what)
	}
	return x, p.selector(x, f["selector"], what)
}

func (p *exceptionParser) scalar(n *yaml.Node, what, key string, required bool, line int) (string, error) {
	if n == nil || strings.TrimSpace(n.Value) == "" && n.Kind == yaml.ScalarNode {
		if required {
			return "", p.errorf(line, "%s: %s is missing", what, key)
		}
		return "", nil
	}
	if n.Kind != yaml.ScalarNode {
		return "", p.errorf(n.Line, "%s: %s: one word or text is expected", what, key)
	}
	return strings.TrimSpace(n.Value), nil
}

func (p *exceptionParser) strings(n *yaml.Node, what, key string) ([]string, error) {
	if n == nil {
		return nil, nil
	}
	if n.Kind == yaml.ScalarNode {
		return []string{n.Value}, nil
	}
	var all []string
	for _, v := range n.Content {
		if n.Kind != yaml.SequenceNode || v.Kind != yaml.ScalarNode {
			return nil, p.errorf(n.Line, "%s: %s: a list of words is expected", what, key)
		}
		all = append(all, v.Value)
	}
	return all, nil
}

// time reads RFC 3339, or a date alone.
func (p *exceptionParser) time(n *yaml.Node, what, key string, line int) (time.Time, error) {
	text, err := p.scalar(n, what, key, true, line)
	if err != nil {
		return time.Time{}, err
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, p.errorf(n.Line, "%s: %s: %q is no date: write 2015-10-21 or 2015-10-21T16:29:00Z", what, key, text)
}

func (p *exceptionParser) selector(x *Exception, n *yaml.Node, what string) error {
	f, err := p.fields(n, what+": selector", selectorKeys)
	if err != nil {
		return err
	}
	if x.Verdicts, err = p.strings(f["verdicts"], what, "verdicts"); err != nil {
		return err
	}
	for _, v := range x.Verdicts {
		if !slices.Contains(verdictNames(), v) {
			return p.errorf(f["verdicts"].Line, "%s: verdict %q is not known: %s", what, v, suggestion(v, verdictNames()))
		}
	}
	for _, s := range []struct {
		key  string
		text *string
		to   *selector
	}{{"src", &x.Src, &x.src}, {"dst", &x.Dst, &x.dst}} {
		if *s.text, err = p.scalar(f[s.key], what, s.key, false, n.Line); err != nil {
			return err
		}
		if *s.text == "" {
			continue
		}
		if *s.to, err = p.end(*s.text); err != nil {
			return p.errorf(f[s.key].Line, "%s: %s: %v", what, s.key, err)
		}
	}
	if x.Transport, err = p.scalar(f["transport"], what, "transport", false, n.Line); err != nil {
		return err
	}
	if x.Transport = strings.ToLower(x.Transport); x.Transport != "" && x.Transport != "tcp" && x.Transport != "udp" {
		return p.errorf(f["transport"].Line, "%s: transport %q: tcp or udp is expected", what, x.Transport)
	}
	if x.Port, err = p.scalar(f["port"], what, "port", false, n.Line); err != nil {
		return err
	}
	if x.Port != "" {
		if x.ports, err = parsePorts(x.Port); err != nil {
			return p.errorf(f["port"].Line, "%s: port %v", what, err)
		}
	}
	if x.Rows, err = p.strings(f["rows"], what, "rows"); err != nil {
		return err
	}
	for _, id := range x.Rows {
		if p.cat.Row(id) == nil {
			return p.errorf(f["rows"].Line, "%s: row %q is in no catalogue in use", what, id)
		}
	}
	if given := x.narrowness(); given < 2 && !x.Blanket {
		return p.errorf(n.Line, "%s: the selector names %d of src, dst and port: name two, or say blanket: true", what, given)
	}
	return nil
}

// narrowness counts how many of src, dst and port the selector names.
func (x *Exception) narrowness() int {
	given := 0
	for _, s := range []string{x.Src, x.Dst, x.Port} {
		if s != "" {
			given++
		}
	}
	return given
}

// end reads an address, a prefix, a machine of the inventory or a role.
func (p *exceptionParser) end(text string) (selector, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return selector{prefix: netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())}, nil
	}
	if x, err := netip.ParsePrefix(text); err == nil {
		if x != x.Masked() {
			return selector{}, fmt.Errorf("%q has bits behind its prefix: did you mean %q?", text, x.Masked())
		}
		return selector{prefix: x}, nil
	}
	if p.inv != nil && p.inv.Machine(text) != nil {
		return selector{machine: text}, nil
	}
	if _, ok := p.cat.RoleInfo(catalog.Role(text)); ok {
		return selector{role: catalog.Role(text)}, nil
	}
	known := make([]string, 0, len(p.cat.Roles))
	for _, r := range p.cat.Roles {
		known = append(known, string(r.Role))
	}
	if p.inv != nil {
		for _, m := range p.inv.Machines {
			known = append(known, m.Name)
		}
	}
	err := fmt.Errorf("%q is no address, prefix, machine of the inventory or role", text)
	if near := catalog.Nearest(text, known); near != "" {
		err = fmt.Errorf("%w: did you mean %q?", err, near)
	}
	return selector{}, err
}

func parsePorts(text string) (catalog.Ports, error) {
	lo, hi, ranged := strings.Cut(text, "-")
	if !ranged {
		hi = lo
	}
	a, errA := strconv.ParseUint(strings.TrimSpace(lo), 10, 16)
	b, errB := strconv.ParseUint(strings.TrimSpace(hi), 10, 16)
	if errA != nil || errB != nil || a == 0 || b < a {
		return catalog.Ports{}, fmt.Errorf("%q: a port 1-65535, or a range low-high, is expected", text)
	}
	return catalog.Ports{Lo: uint16(a), Hi: uint16(b)}, nil
}

// verdictNames lists every verdict that an exception can select, of conversations and of expectations.
func verdictNames() []string {
	var names []string
	for v := OutOfScope; v < verdicts; v++ {
		names = append(names, v.String())
	}
	for v := ExpectedHalfOpen; v < expectationVerdicts; v++ {
		if !slices.Contains(names, v.String()) {
			names = append(names, v.String())
		}
	}
	return names
}

func (s selector) has(j *judge, e *end, a netip.Addr) bool {
	switch {
	case s.prefix.IsValid():
		return s.prefix.Contains(a)
	case s.machine != "":
		return e.machine != nil && e.machine.Name == s.machine
	case s.role != "":
		return slices.ContainsFunc(e.roles, func(g inventory.Grant) bool { return j.cat.IsA(g.Role, s.role) })
	}
	return true
}

// covers reports whether the exception selects a finding, whether expired or not.
func (x *Exception) covers(j *judge, f *conv) bool {
	return x.selectsVerdict(f.Verdict.String()) && x.selectsPort(f.Proto, f.Port) && x.src.has(j, f.i, f.Initiator) && x.reaches(j, f) &&
		(len(x.Rows) == 0 || slices.ContainsFunc(f.rows(), x.citesRow) ||
			slices.ContainsFunc(f.near(), func(n Near) bool { return x.citesRow(n.Row) }))
}

// reaches reports whether the selector's dst means the responder: of a group-cast finding, every group.
func (x *Exception) reaches(j *judge, f *conv) bool {
	for _, group := range f.groups() {
		if !x.dst.has(j, j.end(group), group) {
			return false
		}
	}
	return len(f.groups()) > 0 || x.dst.has(j, f.r, f.Responder)
}

// coversExpectation reports whether the exception selects an expectation: its src and dst are the row's ends.
func (x *Exception) coversExpectation(j *judge, e *Expectation) bool {
	return x.selectsVerdict(e.Verdict.String()) && slices.ContainsFunc(e.Rows, func(r *catalog.Row) bool {
		if len(x.Rows) > 0 && !x.citesRow(r) || x.Port != "" && (r.Ports.Lo < x.ports.Lo || r.Ports.Hi > x.ports.Hi) {
			return false
		}
		if t := x.Transport; t != "" && !strings.Contains(strings.ToLower(r.Transport.String()), t) {
			return false
		}
		return x.coversEnd(j, x.src, e, catalog.Source) && x.coversEnd(j, x.dst, e, catalog.Target)
	})
}

// coversEnd reports whether every machine that can stand at an end of the expectation is one the selector means.
func (x *Exception) coversEnd(j *judge, s selector, e *Expectation, end catalog.End) bool {
	if s == (selector{}) {
		return true
	}
	standing := e.Candidates
	if e.Subject != nil && e.SubjectEnd == end {
		standing = MachinesOf([]*inventory.Machine{e.Subject})
	}
	for m := range standing.All() {
		one := func(a *inventory.Addr) bool { return s.has(j, j.end(a.Addr), a.Addr) }
		if !slices.ContainsFunc(m.Addrs, one) {
			return false
		}
	}
	return standing.Len() > 0
}

func (x *Exception) selectsVerdict(name string) bool {
	return len(x.Verdicts) == 0 || slices.Contains(x.Verdicts, name)
}

func (x *Exception) selectsPort(p capture.Proto, port uint16) bool {
	return (x.Transport == "" || x.Transport == p.String()) && (x.Port == "" || x.ports.Contains(port))
}

func (x *Exception) citesRow(r *catalog.Row) bool { return slices.Contains(x.Rows, r.ID) }

// excepter applies exceptions to findings and expectations that are not a pass.
type excepter struct {
	j    *judge
	uses []ExceptionUse
}

func newExcepter(j *judge, g *Grounds) *excepter {
	x := &excepter{j: j, uses: make([]ExceptionUse, len(g.Exceptions))}
	for i, e := range g.Exceptions {
		x.uses[i] = ExceptionUse{
			Exception: e, State: e.State(g.AsOf), TooBroad: e.TooBroad(), ExpiresInDay: int(e.Expires.Sub(g.AsOf) / (24 * time.Hour)),
		}
	}
	return x
}

// expiringFrom is how long before its end an exception is said to expire.
const expiringFrom = 30 * 24 * time.Hour

// State returns where the exception stands in its life: not-yet (created later), active, expiring (within 30 days), expired.
func (x *Exception) State(at time.Time) string {
	switch left := x.Expires.Sub(at); {
	case at.Before(x.Created):
		return "not-yet"
	case left <= 0:
		return "expired"
	case left <= expiringFrom:
		return "expiring"
	}
	return "active"
}

// another returns one for the use of another goroutine.
func (x *excepter) another() *excepter {
	o := &excepter{j: x.j, uses: slices.Clone(x.uses)}
	for i := range o.uses {
		o.uses[i].Used = 0
	}
	return o
}

// merge adds what another found.
func (x *excepter) merge(o *excepter) {
	for i := range x.uses {
		x.uses[i].Used += o.uses[i].Used
	}
}

// finding applies the exceptions to a finding, once.
func (x *excepter) finding(f *conv) {
	if f.asked || f.Level < LevelWarning {
		return
	}
	f.asked = true
	for i := range x.uses {
		if u := &x.uses[i]; u.Exception.covers(x.j, f) {
			u.dispose(&f.extra().disposition)
		}
	}
}

// expectation applies the exceptions to an expectation.
func (x *excepter) expectation(e *Expectation) {
	if e.Level < LevelWarning || e.Bucket() != Absent {
		return
	}
	for i := range x.uses {
		if u := &x.uses[i]; u.Exception.coversExpectation(x.j, e) {
			u.dispose(&e.Disposition)
		}
	}
}

// dispose notes that the exception selects something.
func (u *ExceptionUse) dispose(d *Disposition) {
	u.Used++
	switch {
	case u.State == "not-yet":
	case u.State != "expired" && d.Exception == nil:
		d.Exception = u.Exception
	case u.State == "expired" && d.Expired == nil:
		d.Expired = u.Exception
	}
}

// TooBroad says, in words, why an exception may hide more than it means to; empty when it does not.
func (x *Exception) TooBroad() string {
	wide := func(p netip.Prefix) bool {
		return p.IsValid() && (p.Addr().Is4() && p.Bits() < 16 || p.Addr().Is6() && p.Bits() < 48)
	}
	switch {
	case x.narrowness() < 2:
		return "a blanket: it names fewer than two of src, dst and port"
	case wide(x.src.prefix):
		return "src " + x.Src + " is wider than /16 (IPv6: /48)"
	case wide(x.dst.prefix):
		return "dst " + x.Dst + " is wider than /16 (IPv6: /48)"
	case x.Port != "" && x.ports.Broad():
		return "port " + x.Port + " spans more than " + strconv.Itoa(catalog.BroadSpan) + " ports"
	}
	return ""
}
