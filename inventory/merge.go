package inventory

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"flowvet/catalog"
)

// Merged is an inventory file with what sources add to it. What stood in the file stands there still, byte for byte.
type Merged struct {
	Text      []byte
	Added     int // machines that were not there
	Completed int // machines that were there, and of which more is said now
	Unchanged int // machines of the sources of which nothing new is said
	Guessed   int // machines that were written behind a #, as suggestions
	Conflicts []Conflict
	Notes     []string // what was left out, and why: one line each
}

// Conflict is a place where a source contradicts what was there before it: the inventory, or an earlier source. What was
// there stays.
type Conflict struct {
	What        string // "machine esx01: cluster"
	Kept, Other string // both values, quoted
	KeptAt      Where
	OtherAt     Where
	Why         string // in place of Kept and KeptAt: what does not allow the other
}

// String returns the conflict on one line, with both values and where they stand.
func (c Conflict) String() string {
	if c.Why != "" {
		return fmt.Sprintf("%s: %s: %s", c.OtherAt, c.What, c.Why)
	}
	return fmt.Sprintf("%s: %s: %s, but %s at %s, which stays", c.OtherAt, c.What, c.Other, c.Kept, c.KeptAt)
}

// Merge adds to an inventory, as text in YAML, what sources say: machines it does not have, and of those it has, what it
// does not say. Nothing in it is changed, moved or taken away, comments included; where a source says otherwise, that is
// a Conflict. Base may be empty. The same sources merged once more add nothing.
//
// A machine is the one with the same name, or with one of its addresses where one of both names says nothing but that.
// Names are the same that differ in case only, or of which one is the other without its domain.
//
// The error is [Problems] where the inventory cannot be used, or is written in a way that cannot be added to.
func Merge(name string, base []byte, sources []*Source, c *catalog.Catalog) (*Merged, error) {
	p := &problems{file: name}
	doc, ok := openDocument(p, base, c)
	if !ok {
		return nil, p.err()
	}
	g := newMerger(newVocabulary(p, c), doc)
	g.merge(sources)
	text, err := doc.edited(g)
	if err != nil {
		return nil, err
	}
	g.out.Text = text
	return g.out, nil
}

// merger holds the machines of an inventory while sources are merged into it.
type merger struct {
	words      *vocabulary
	places     map[string]int // sites that a machine may name; nil: any
	broadcasts map[netip.Addr]*Network
	members    []*member
	owners     map[netip.Addr]*member
	addrs      map[netip.Addr]*memberAddr
	names      map[string]*member   // by name, in lower case
	labels     map[string][]*member // by the first label of a name, in lower case
	touched    map[*member]bool     // something was added to it
	met        map[*member]bool     // a source names it
	unmanaged  map[string]int       // how often a manager was named that nobody is
	spare      map[string]*imported // machines that nobody asked for, by name in lower case
	guesses    []*imported
	inBrackets bool // new machines are written there
	out        *Merged
}

// rounds is how often a machine is tried that nobody knows by name: another source may bring the name.
const rounds = 3

// merge takes all sources: first every machine, then what depends on all of them.
func (g *merger) merge(sources []*Source) {
	var all, rest []*imported
	for _, s := range sources {
		all = append(all, s.machines...)
	}
	of := make(map[*imported]*member, len(all))
	for _, m := range all {
		switch key := strings.ToLower(m.name.text); {
		case !m.spare:
			rest = append(rest, m)
		case g.spare[key] == nil:
			g.spare[key] = m
		}
	}
	for range rounds {
		var unknown []*imported
		for _, m := range rest {
			if of[m] = g.take(m); of[m] == nil {
				unknown = append(unknown, m)
			}
		}
		rest = unknown
	}
	for _, m := range rest {
		g.leave(m)
	}
	for _, m := range all {
		if own := of[m]; own != nil {
			g.manager(own, m.single[managedBy])
			g.roles(own, m)
		}
	}
	g.retract()
	g.guess(all)
	g.count()
}

// retract takes back the planes that are guessed where no comment can say so: inside brackets.
func (g *merger) retract() {
	for _, m := range g.members {
		inBrackets := g.inBrackets
		if m.node != nil {
			inBrackets = child(m.node, "addresses").Style&yaml.FlowStyle != 0
		}
		for _, a := range m.addrs {
			if a.guessed && inBrackets {
				a.plane = said{}
			}
		}
	}
}

// guess keeps of the machines that nobody asked for those whose names suggest what they are.
func (g *merger) guess(all []*imported) {
	unknown := 0
	for _, m := range all {
		own, _ := g.find(m)
		switch {
		case own != nil || g.spare[strings.ToLower(m.name.text)] != m:
		case m.guess == "":
			unknown++
		default:
			g.guesses = append(g.guesses, m)
		}
	}
	if unknown > 0 {
		g.out.Notes = append(g.out.Notes, fmt.Sprintf("left out: virtual machines whose names say nothing of what they do: %d", unknown))
	}
}

// known returns a machine with the addresses and the name that its virtual machine has, if it has none itself.
func (g *merger) known(m *imported) *imported {
	if len(m.addrs) > 0 {
		return m
	}
	key := strings.ToLower(m.name.text)
	vm := g.spare[key]
	if label, ok := firstLabel(key); ok && vm == nil {
		vm = g.spare[label]
	}
	if vm == nil {
		return m
	}
	whole := *m
	whole.aliases = append(slices.Clone(m.aliases), m.name.text)
	whole.name, whole.addrs = vm.name, vm.addrs
	return &whole
}

// count closes the sums.
func (g *merger) count() {
	for _, m := range g.members {
		switch {
		case m.node == nil:
			g.out.Added++
		case g.touched[m]:
			g.out.Completed++
		case g.met[m]:
			g.out.Unchanged++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(g.unmanaged)) {
		g.out.Notes = append(g.out.Notes, fmt.Sprintf("left out: managed-by %s (%d times): no vCenter with that name has an address in what was read",
			display(name), g.unmanaged[name]))
	}
}

// take merges one machine, and returns which it is; nil: nobody knows an address of it, or its address is that of a
// machine with another name. Which of both is right only a person knows.
func (g *merger) take(m *imported) *member {
	own, byAddress := g.find(m)
	if own == nil {
		m = g.known(m)
		own, byAddress = g.find(m)
	}
	switch {
	case byAddress && !namesItself(own.name.text) && !namesItself(m.name.text):
		return nil
	case own == nil && !slices.ContainsFunc(m.addrs, func(a importedAddr) bool { return g.broadcasts[a.addr] == nil }):
		return nil
	case own == nil:
		own = &member{name: m.name}
		g.members = append(g.members, own)
	}
	g.met[own] = true
	for _, name := range append([]string{m.name.text}, m.aliases...) {
		g.named(name, own)
	}
	for _, a := range m.addrs {
		g.address(own, a)
	}
	g.facts(own, m)
	return own
}

// leave notes why a machine was not taken.
func (g *merger) leave(m *imported) {
	if len(m.addrs) == 0 {
		g.out.Notes = append(g.out.Notes, fmt.Sprintf("%s: left out: machine %s has no address", m.name.at, display(m.name.text)))
	}
	for _, a := range m.addrs {
		if owner := g.owners[a.addr]; owner != nil {
			g.met[owner] = true
			g.contest(owner, m.name.text, a)
		} else if n := g.broadcasts[a.addr]; n != nil {
			g.broadcast(n, a)
		}
	}
}

// broadcast notes that an address cannot be a machine's.
func (g *merger) broadcast(n *Network, a importedAddr) {
	g.refuse("address "+a.addr.String(), fmt.Sprintf("it is the broadcast address of network %s", n.Prefix), said{at: a.at})
}

// contest notes that an address is said to be another machine's.
func (g *merger) contest(owner *member, name string, a importedAddr) {
	g.conflict("machine of address "+a.addr.String(), said{text: owner.name.text, at: g.addrs[a.addr].at}, said{text: name, at: a.at})
}

// named lets a machine be found by a name, unless another is.
func (g *merger) named(name string, m *member) {
	if key := strings.ToLower(name); g.names[key] == nil {
		g.names[key] = m
		if label, ok := firstLabel(key); ok && !slices.Contains(g.labels[label], m) {
			g.labels[label] = append(g.labels[label], m)
		}
	}
}

// firstLabel returns a name without its domain; false where it is an address.
func firstLabel(name string) (string, bool) {
	if _, err := netip.ParseAddr(name); err == nil {
		return "", false
	}
	label, _, _ := strings.Cut(name, ".")
	return label, label != ""
}

// find returns the machine that an imported one is, or nil: the one with its name, else the one with one of its addresses.
func (g *merger) find(m *imported) (own *member, byAddress bool) {
	for _, name := range append([]string{m.name.text}, m.aliases...) {
		if own := g.byName(name); own != nil {
			return own, false
		}
	}
	for _, a := range m.addrs {
		if own := g.owners[a.addr]; own != nil {
			return own, true
		}
	}
	return nil, false
}

// namesItself reports whether a machine's name says nothing but its address, as names do that are inferred.
func namesItself(name string) bool {
	_, err := netip.ParseAddr(strings.TrimPrefix(name, inferredName))
	return err == nil
}

// byName returns the machine of that name, or the only one whose name differs by a domain that only one of both has.
func (g *merger) byName(name string) *member {
	key := strings.ToLower(name)
	if m := g.names[key]; m != nil {
		return m
	}
	label, ok := firstLabel(key)
	if !ok {
		return nil
	}
	same := g.labels[label]
	if key != label {
		if m := g.names[label]; m != nil {
			return m
		}
		return nil
	}
	if len(same) == 1 {
		return same[0]
	}
	return nil
}

// conflict notes that a source says otherwise than what was there.
func (g *merger) conflict(what string, kept, other said) {
	g.out.Conflicts = append(g.out.Conflicts, Conflict{
		What: what, Kept: quote(kept.text), KeptAt: kept.at, Other: quote(other.text), OtherAt: other.at,
	})
}

// refuse notes that a source says what the machine does not allow.
func (g *merger) refuse(what, why string, other said) {
	g.out.Conflicts = append(g.out.Conflicts, Conflict{What: what, Other: quote(other.text), OtherAt: other.at, Why: why})
}

// address merges an address into a machine.
func (g *merger) address(m *member, a importedAddr) {
	if n := g.broadcasts[a.addr]; n != nil {
		g.broadcast(n, a)
		return
	}
	switch owner := g.owners[a.addr]; owner {
	case nil:
		own := &memberAddr{addr: a.addr, at: a.at, note: a.note, fresh: true, plane: a.plane, guessed: a.guessed}
		own.plane.fresh = a.plane.given()
		m.addrs = append(m.addrs, own)
		g.owners[a.addr], g.addrs[a.addr] = m, own
		g.touched[m] = true
	case m:
		g.plane(m, g.addrs[a.addr], a)
	default:
		g.contest(owner, m.name.text, a)
	}
}

// plane merges the plane of an address. One that is only guessed goes where the guess is told, beside a new address.
func (g *merger) plane(m *member, own *memberAddr, a importedAddr) {
	switch {
	case !a.plane.given() || own.plane.text == a.plane.text:
	case a.guessed && (own.plane.given() || !own.fresh):
	case own.plane.given() && !own.guessed:
		g.conflict(fmt.Sprintf("address %s of machine %s: plane", own.addr, display(m.name.text)), own.plane, a.plane)
	default:
		own.plane, own.note, own.guessed = a.plane, a.note, a.guessed
		own.plane.fresh = true
		g.touched[m] = true
	}
}
