package match

import (
	"maps"
	"slices"
	"sync"

	"flowvet/catalog"
	"flowvet/inventory"
)

// maxRulings bounds what a ruler remembers; what it has no room for it decides again.
const maxRulings = 1 << 16

// ruler is a judge that decides no question twice: on ports of one class, ends that no permission there tells apart get one
// ruling. Of 1 M undocumented conversations it decides a few dozen: judging them took 3.1 s, and takes 0.4 s. Each goroutine has
// its own, and asks the others' rulings before it decides.
type ruler struct {
	*judge
	known map[rulingKey]*ruling
	alike lookalikes
	apart *ruling // of what no VMware machine takes part in

	fetched uint32 // see fetch
}

// rulings is what the rulers of all goroutines have decided.
type rulings struct {
	sync.Mutex
	known  map[rulingKey]*ruling
	labels map[string]uint32 // the numbers of lookalikes by what they stand for, class of port first
}

// rulingKey is all of a question that its ruling can depend on.
type rulingKey struct {
	i, r          uint32 // as [lookalikes] number them, which says the class of the port too
	proto         catalog.Transport
	certain, same bool
}

func newRuler(j *judge) *ruler {
	return &ruler{judge: j, known: map[rulingKey]*ruling{}, apart: &ruling{verdict: OutOfScope}}
}

// rule answers a question as [judge.decide] does.
func (x *ruler) rule(q question) *ruling {
	if !q.i.vmware && !q.r.vmware {
		return x.apart
	}
	i, r := x.alike.number(x.judge, q.i, q.port), x.alike.number(x.judge, q.r, q.port)
	k := rulingKey{i, r, q.proto, q.certain, sameMachine(q.i, q.r)}
	known := x.known[k]
	if known == nil {
		known = x.rulings.ask(k, func() *ruling { return x.decided(q) })
		if len(x.known) < maxRulings {
			x.known[k] = known
		}
	}
	return known
}

// ask returns a ruling that anybody has decided, or decides it. Two may do so at a time, and the first is kept.
func (x *rulings) ask(k rulingKey, decide func() *ruling) *ruling {
	x.Lock()
	known := x.known[k]
	x.Unlock()
	if known != nil {
		return known
	}
	decided := decide()
	x.Lock()
	defer x.Unlock()
	if known = x.known[k]; known != nil {
		return known
	}
	if len(x.known) < maxRulings {
		x.known[k] = decided
	}
	return decided
}

// documentedPort reports whether port is a documented responder port of r towards i, neither of which is a group. Broad rows
// do not count, and without a VMware machine nothing does.
func (x *ruler) documentedPort(i, r *end, t catalog.Transport, port uint16) bool {
	v := x.rule(question{i: i, r: r, proto: t, port: port}).verdict
	return v == VerdictDocumented || v == DocumentedOverride
}

// decided decides a question, with what a finding says besides the verdict.
func (j *judge) decided(q question) *ruling {
	r := j.decide(q)
	r.rows = citeRows(r.readings)
	mark := func(when bool, what Qualifiers) {
		if when {
			r.marks |= what
		}
	}
	mark(j.cat.Insecure(q.proto, q.port) != "", Insecure)
	mark(q.i.inferred || q.r.inferred, RoleInferred)
	r.anyway = r.marks
	switch r.verdict.Bucket() {
	case Documented:
		if len(r.readings) > 0 {
			primary := &r.readings[0]
			mark(primary.from.kind == fitFamily || primary.from.kind == fitAssumed, ClientAssumed)
			mark(primary.perm.Row.Insecure != "", Insecure)
			mark(j.unverified(primary), VersionUnverified)
		}
	case Undocumented:
		r.near = j.near(q)
		mark(j.disputed(q), DocumentDisputed)
	}
	return &r
}

// portClasses numbers the ports: on those of one class the same permissions stand, in each transport, and the same services
// are insecure.
type portClasses struct {
	class       [1 << 16]uint16         // by port
	permissions [][]*catalog.Permission // by class: all that a ruling can rest on
}

func newPortClasses(c *catalog.Catalog, inv *inventory.Inventory) *portClasses {
	type standing struct {
		perms [4]**catalog.Permission // the first of each set, which the catalogue shares among ports
		own   uint16                  // a port of an insecure service, or where the site has moved a row to
	}
	var apart [1 << 16]bool // a map took half of the time of a small judgement's start
	for p := range c.InsecurePorts() {
		apart[p] = true
	}
	for _, p := range inv.Ports {
		apart[p] = true
	}
	first := func(set []*catalog.Permission) **catalog.Permission {
		if len(set) == 0 {
			return nil
		}
		return &set[0]
	}
	classes := &portClasses{}
	numbers := map[standing]uint16{}
	var last standing // neighbours mostly stand alike: looking each up made a small judgement five times as long
	var number uint16
	for n := range classes.class {
		port := uint16(n)
		s := standing{perms: [4]**catalog.Permission{
			first(c.On(catalog.TCP, port)), first(c.On(catalog.UDP, port)),
			first(c.AltOn(catalog.TCP, port)), first(c.AltOn(catalog.UDP, port)),
		}}
		if apart[port] {
			s.own = port
		}
		if s != last || n == 0 {
			known := false
			if number, known = numbers[s]; !known {
				number = uint16(len(numbers))
				numbers[s] = number
				classes.permissions = append(classes.permissions, permissionsOn(c, inv, port))
			}
			last = s
		}
		classes.class[port] = number
	}
	return classes
}

// permissionsOn returns every permission that a ruling on a port can rest on, or come near to.
func permissionsOn(c *catalog.Catalog, inv *inventory.Inventory, port uint16) []*catalog.Permission {
	all := slices.Concat(c.On(catalog.TCP, port), c.On(catalog.UDP, port), c.AltOn(catalog.TCP, port), c.AltOn(catalog.UDP, port))
	for _, id := range slices.Sorted(maps.Keys(inv.Ports)) {
		if row := c.Row(id); row != nil && inv.Ports[id] == port {
			all = append(all, c.Permissions(row)...)
		}
	}
	var distinct []*catalog.Permission
	for _, p := range all {
		if !slices.Contains(distinct, p) {
			distinct = append(distinct, p)
		}
	}
	return distinct
}

// prepare finds what the rulings of several goroutines ask for.
func (j *judge) prepare() {
	j.ports = newPortClasses(j.cat, j.inv)
	j.rulings = &rulings{known: map[rulingKey]*ruling{}, labels: map[string]uint32{}}
	for _, r := range j.cat.Rows {
		if p, ok := j.cat.Product(r.Product); ok {
			j.carriedAnywhere(p)
		}
	}
}

// disputed reports whether an erratum's other reading documents the conversation.
func (j *judge) disputed(q question) bool {
	return slices.ContainsFunc(j.cat.AltOn(q.proto, q.port), func(p *catalog.Permission) bool {
		x := j.read(p, q.i, q.r)
		return x.documents() && x.founded()
	})
}
