package report

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"fmt"
	"net/netip"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/match"
)

// Anonymize returns a copy of a result, and of the options to report it by, in which addresses, names, paths and what people
// wrote are hidden. Structure stays: roles, products, planes, ports, times, VLANs, counts; addresses of one network stay in one
// network (see pseudonyms). The same key gives the same pseudonyms; an empty key stands for one that is random.
//
// Every format reports the copy, so none can tell more than another. Everything is copied field by field: a field that
// nobody thought of here is hidden as far as it holds an address, a known name or an id.
func Anonymize(r *match.Result, o Options, key string) (*match.Result, Options) {
	secret := []byte(key)
	if key == "" {
		secret = make([]byte, 32)
		rand.Read(secret) // never fails (crypto/rand)
	}
	c := &copier{p: newPseudonyms(secret), seen: map[any]reflect.Value{}, ours: map[string]bool{}}
	c.register(r, o)
	hidden := c.copy(reflect.ValueOf(r)).Interface().(*match.Result)
	resort(hidden)
	for i := range hidden.Captures {
		hideNotes(&hidden.Captures[i])
	}
	o.Anonymized = true
	o.Machine = c.machine(r, o.Machine)
	o.Files = each(o.Files, c.p.text)
	return hidden, o
}

// hiddenText stands for what a person wrote.
const hiddenText = "(hidden)"

// copier copies a result deeply. What two pointers shared, their copies share.
type copier struct {
	p    *pseudonyms
	seen map[any]reflect.Value
	ours map[string]bool // documents of the built-in catalogue
}

// register gives every name that the result knows its pseudonym.
func (c *copier) register(r *match.Result, o Options) {
	c.machines(r)
	for i := range r.Captures {
		one := &r.Captures[i]
		c.file(one.Name, fmt.Sprintf("capture-%d", i+1))
		c.p.name(one.Filter, hiddenText)
		for k, n := range one.Interfaces {
			c.p.name(n.Filter, hiddenText)
			c.p.name(n.Name, fmt.Sprintf("interface-%d", k+1))
		}
	}
	for i, name := range o.Files {
		c.file(name, fmt.Sprintf("capture-%d", i+1))
	}
	c.scenarios(r)
	for i := range r.Exceptions {
		c.p.name(r.Exceptions[i].Exception.ID, fmt.Sprintf("exception-%d", i+1))
	}
	if r.Catalog != nil {
		for i, s := range r.Catalog.Sources {
			if s.Name == "built-in" {
				c.ours[s.Document] = true
				continue
			}
			c.file(s.Name, fmt.Sprintf("catalogue-%d", i+1))
			c.file(s.Document, fmt.Sprintf("document-%d", i+1))
		}
	}
}

// scenarios hides what a user wrote into scenarios of his own. The names that flowvet's own scenarios use say nothing of
// anybody, and stay.
func (c *copier) scenarios(r *match.Result) {
	var known map[string]bool
	for i := range r.Scenarios {
		s := r.Scenarios[i].Scenario
		if s.Builtin() {
			continue
		}
		if known == nil {
			known = scenarioWords()
		}
		c.file(s.File, "scenario")
		name := func(word, pseudonym string) {
			if !known[word] {
				c.p.name(word, pseudonym)
			}
		}
		name(s.Name, fmt.Sprintf("scenario-%d", i+1))
		for _, words := range append([]string{s.Title, s.Versions}, s.CannotShow...) {
			name(words, hiddenText)
		}
		for k, v := range s.Variables {
			name(v.Name, fmt.Sprintf("VARIABLE%d", k+1))
			name(v.Means, hiddenText)
		}
		for _, l := range s.Lines {
			name(l.ID, fmt.Sprintf("line-%d", l.Number))
			name(l.OneOf, fmt.Sprintf("group-%d", l.Number))
			name(l.Means, hiddenText)
			name(l.CannotShow, hiddenText)
		}
	}
}

// scenarioWords returns every word that the built-in scenarios of the built-in catalogue use as a name, and their sentences.
func scenarioWords() map[string]bool {
	words := map[string]bool{}
	for _, name := range catalog.ScenarioNames() {
		s, err := catalog.Default().Scenario(name)
		if err != nil {
			continue // tests of catalog hold that none is
		}
		for _, word := range append([]string{s.Name, s.Title, s.Versions}, s.CannotShow...) {
			words[word] = true
		}
		for _, v := range s.Variables {
			words[v.Name], words[v.Means] = true, true
		}
		for _, l := range s.Lines {
			words[l.ID], words[l.OneOf], words[l.Means], words[l.CannotShow] = true, true, true, true
		}
	}
	return words
}

// file registers a path and its last element; the pseudonym keeps the extension where it is one of ours.
func (c *copier) file(name, pseudonym string) {
	switch ext := filepath.Ext(name); ext {
	case ".pcap", ".pcapng", ".cap", ".yaml", ".csv":
		pseudonym += ext
	}
	c.p.name(name, pseudonym)
	if base := path.Base(filepath.ToSlash(name)); base != "." && base != "/" {
		c.p.name(base, pseudonym)
	}
}

// machines names machines, networks, sites and clusters. Machines are numbered by role in an order that depends on the key.
func (c *copier) machines(r *match.Result) {
	v := r.Inventory
	if v == nil {
		return
	}
	if !v.Inferred {
		c.file(v.Name, "inventory")
	}
	byName := slices.Clone(v.Machines)
	slices.SortStableFunc(byName, func(a, b *inventory.Machine) int {
		return bytes.Compare(c.p.digest("order", a.Name), c.p.digest("order", b.Name))
	})
	numbers := map[string]int{}
	numbered := func(kind string) string {
		numbers[kind]++
		return fmt.Sprintf("%s-%d", kind, numbers[kind])
	}
	for _, m := range byName {
		c.p.name(m.Name, numbered(c.kind(r, m)))
		c.p.name(m.Cluster, numbered("cluster"))
		c.p.name(m.Site, numbered("site"))
	}
	for _, s := range v.Sites {
		c.p.name(s, numbered("site"))
	}
	for _, n := range v.Networks {
		c.p.name(n.Name, numbered("network"))
	}
}

// kind is the role that a machine's pseudonym begins with.
func (c *copier) kind(r *match.Result, m *inventory.Machine) string {
	var roles []catalog.Role
	for _, a := range m.Addrs {
		for _, g := range a.Roles {
			roles = append(roles, g.Role)
		}
	}
	for _, d := range m.Products {
		if r.Catalog != nil {
			if role, _ := r.Catalog.RoleOf(d); role != "" {
				roles = append(roles, role)
			}
		}
	}
	if len(roles) == 0 {
		return "machine"
	}
	return string(roles[0])
}

// machine hides what --machine says.
func (c *copier) machine(r *match.Result, text string) string {
	if r.Inventory != nil {
		for _, m := range r.Inventory.Machines {
			if strings.EqualFold(m.Name, text) {
				return c.p.text(m.Name)
			}
		}
	}
	return c.p.text(text)
}

// copy copies a value. Types that need more than that are named here.
func (c *copier) copy(v reflect.Value) reflect.Value {
	switch x := v.Interface().(type) {
	case netip.Addr:
		return reflect.ValueOf(c.p.addr(x))
	case netip.AddrPort:
		return reflect.ValueOf(netip.AddrPortFrom(c.p.addr(x.Addr()), x.Port()))
	case netip.Prefix:
		return reflect.ValueOf(c.p.prefix(x))
	case [6]byte:
		return reflect.ValueOf(c.p.hardware(x))
	case match.Findings:
		return reflect.ValueOf(match.FindingsOf(c.findings(x)...))
	case time.Time, catalog.Role, capture.Seconds:
		return v
	}
	switch v.Kind() {
	case reflect.String:
		return reflect.ValueOf(c.p.text(v.String())).Convert(v.Type())
	case reflect.Pointer:
		return c.pointer(v)
	case reflect.Struct:
		return c.structure(v)
	case reflect.Slice:
		return c.slice(v)
	case reflect.Map:
		return c.mapping(v)
	}
	return v
}

// findings makes every finding, and copies it.
func (c *copier) findings(of match.Findings) []*match.Finding {
	all := make([]*match.Finding, 0, of.Len())
	for _, f := range of.All() {
		hidden := c.structure(reflect.ValueOf(*f)).Interface().(match.Finding)
		hidden.Seconds = slices.Clone(hidden.Seconds) // lent like the finding
		all = append(all, &hidden)
	}
	return all
}

func (c *copier) pointer(v reflect.Value) reflect.Value {
	if v.IsNil() {
		return v
	}
	if known, ok := c.seen[v.Interface()]; ok {
		return known
	}
	to := reflect.New(v.Type().Elem())
	c.seen[v.Interface()] = to
	switch x := v.Interface().(type) {
	case *catalog.Catalog:
		// Its look-ups are by role and product, which stay. What it documents is copied.
		whole := *x
		whole.Rows = c.copy(reflect.ValueOf(x.Rows)).Interface().([]*catalog.Row)
		whole.Sources = c.copy(reflect.ValueOf(x.Sources)).Interface().([]catalog.SourceInfo)
		to.Elem().Set(reflect.ValueOf(whole))
	case *catalog.Row:
		to.Elem().Set(reflect.ValueOf(c.row(x)))
	case *match.Exception:
		to.Elem().Set(reflect.ValueOf(c.exception(x)))
	default:
		to.Elem().Set(c.copy(v.Elem()))
	}
	return to
}

// row leaves a built-in row as it is, and hides what a user wrote into one of his own.
func (c *copier) row(x *catalog.Row) catalog.Row {
	row := *x
	if c.ours[x.Origin.Document] {
		return row
	}
	row.Origin.Document = c.p.text(row.Origin.Document)
	row.Purpose, row.Note = c.p.text(row.Purpose), c.p.text(row.Note)
	row.SourcePrinted, row.TargetPrinted = c.p.text(row.SourcePrinted), c.p.text(row.TargetPrinted)
	return row
}

// exception hides everything that people wrote; its selector is rewritten.
func (c *copier) exception(x *match.Exception) match.Exception {
	hide := func(s string) string {
		if s == "" {
			return s
		}
		return hiddenText
	}
	return match.Exception{
		ID: c.p.text(x.ID), Verdicts: x.Verdicts, Src: c.p.text(x.Src), Dst: c.p.text(x.Dst), Transport: x.Transport, Port: x.Port,
		Rows: x.Rows, Blanket: x.Blanket, Justification: hide(x.Justification), Owner: hide(x.Owner), Approver: hide(x.Approver),
		Created: x.Created, Expires: x.Expires, Ticket: hide(x.Ticket), Controls: each(x.Controls, hide), Line: x.Line,
	}
}

// structure copies the exported fields; the others are look-ups that no report uses.
func (c *copier) structure(v reflect.Value) reflect.Value {
	to := reflect.New(v.Type()).Elem()
	for i := range v.NumField() {
		field := v.Type().Field(i)
		switch {
		case !field.IsExported():
		case field.Type.Kind() == reflect.String && freeText(v.Type(), field.Name) && v.Field(i).Len() > 0:
			to.Field(i).SetString(hiddenText)
		default:
			to.Field(i).Set(c.copy(v.Field(i)))
		}
	}
	return to
}

// freeText names the fields whose text can be anything.
func freeText(of reflect.Type, field string) bool {
	switch of {
	case reflect.TypeFor[capture.Interface]():
		return field != "Name"
	case reflect.TypeFor[match.CaptureInfo]():
		return field == "Filter"
	}
	return false
}

func (c *copier) slice(v reflect.Value) reflect.Value {
	if v.IsNil() {
		return v
	}
	to := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
	for i := range v.Len() {
		to.Index(i).Set(c.copy(v.Index(i)))
	}
	return to
}

func (c *copier) mapping(v reflect.Value) reflect.Value {
	if v.IsNil() {
		return v
	}
	to := reflect.MakeMapWithSize(v.Type(), v.Len())
	for it := v.MapRange(); it.Next(); {
		to.SetMapIndex(c.copy(it.Key()), c.copy(it.Value()))
	}
	return to
}

// resort puts findings and expectations in the order of their pseudonyms: the old order would tell which address was the
// lower one. Everything that refers to a finding by its place follows.
func resort(r *match.Result) {
	order := make([]int, r.Findings.Len())
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, k int) int {
		a, b := r.Findings.At(i), r.Findings.At(k)
		return cmp.Or(cmp.Compare(a.Bucket(), b.Bucket()), cmp.Compare(b.Level, a.Level), a.Initiator.Compare(b.Initiator),
			a.Responder.Compare(b.Responder), cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Port, b.Port))
	})
	findings, place := make([]*match.Finding, len(order)), make([]int, len(order))
	for to, from := range order {
		findings[to], place[from] = r.Findings.At(from), to
	}
	r.Findings = match.FindingsOf(findings...)
	for i := range r.Scans {
		s := &r.Scans[i]
		s.Worst = place[s.Worst]
		for k := range s.Members {
			s.Members[k] = place[s.Members[k]]
		}
		slices.Sort(s.Members)
	}
	for _, s := range r.Segments {
		for k, n := range s.Foreign {
			s.Foreign[k] = place[n]
		}
		slices.Sort(s.Foreign)
	}
	for i := range r.Expectations {
		for k, n := range r.Expectations[i].Evidence {
			r.Expectations[i].Evidence[k] = place[n]
		}
	}
	slices.SortStableFunc(r.Expectations, func(a, b match.Expectation) int {
		return cmp.Or(cmp.Compare(a.Bucket(), b.Bucket()), cmp.Compare(b.Level, a.Level),
			slices.Compare(each(a.Rows, rowID), each(b.Rows, rowID)), cmp.Compare(subjectName(&a), subjectName(&b)))
	})
}

func subjectName(e *match.Expectation) string {
	if e.Subject == nil {
		return ""
	}
	return e.Subject.Name
}
