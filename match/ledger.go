package match

import (
	"slices"

	"flowvet/catalog"
)

// ledger says which findings rest on a row: all of them, and those of each machine at each end. A finding is four bytes of it:
// with Go maps of rows and machines in its place the expectations of 1 M conversations took 1.3 s.
type ledger struct {
	findings []*conv
	met      accounts
	turned   accounts        // of certain conversations that are a row's with the ends exchanged
	used     map[string]bool // services of if-used rows that some documented conversation shows
}

// accounts is the findings by row.
type accounts map[*catalog.Row]*account

// account is the findings of one row, in order.
type account struct {
	row  *catalog.Row
	all  []uint32
	ends [2]byMachine // by where a machine stands
}

// byMachine is findings by a machine's number: those of n are list[from[n]:from[n+1]].
type byMachine struct {
	from []uint32
	list []uint32
}

// newLedger reads findings, ranges of them side by side.
func newLedger(findings []*conv) *ledger {
	parts := make([]*ledger, sharesOf(len(findings)))
	sideBySide(len(parts), func(i int) {
		parts[i] = emptyLedger(findings)
		for n := i * len(findings) / len(parts); n < (i+1)*len(findings)/len(parts); n++ {
			parts[i].enter(n)
		}
	})
	l := parts[0]
	for _, p := range parts[1:] {
		l.append(p)
	}
	return l
}

func emptyLedger(findings []*conv) *ledger {
	return &ledger{
		findings: findings, met: accounts{}, turned: accounts{}, used: map[string]bool{},
	}
}

// enter notes which rows a finding meets, or shows the other way round.
func (l *ledger) enter(n int) {
	f := l.findings[n]
	if !f.evidence() {
		return
	}
	into := l.met
	if f.Verdict == WrongDirection {
		into = l.turned
	}
	for i := range f.rests.readings {
		row := f.rests.readings[i].perm.Row
		if row.Class.Kind == catalog.IfUsed && f.Verdict.Bucket() == Documented {
			l.used[row.Class.Of] = true
		}
		a := into[row]
		if a == nil {
			a = &account{row: row}
			into[row] = a
		}
		if k := len(a.all); k == 0 || a.all[k-1] != uint32(n) {
			a.all = append(a.all, uint32(n))
		}
	}
}

// append adds what later findings rest on.
func (l *ledger) append(o *ledger) {
	for _, of := range []struct{ to, from accounts }{{l.met, o.met}, {l.turned, o.turned}} {
		for row, a := range of.from {
			if of.to[row] == nil {
				of.to[row] = a
			} else {
				of.to[row].all = append(of.to[row].all, a.all...)
			}
		}
	}
	for service := range o.used {
		l.used[service] = true
	}
}

// sort puts the findings to the machines of which expectations ask, rows side by side. Before it, accounts are only whole.
func (l *ledger) sort(asks []ask, machines int) {
	var all []accountOf
	seen := map[accountOf]bool{}
	for i := range asks {
		if asks[i].subject == nil || i > 0 && asks[i].setting == asks[i-1].setting {
			continue
		}
		for _, r := range asks[i].rows {
			for _, from := range []accounts{l.met, l.turned} {
				if k := (accountOf{from[r], asks[i].end}); k.account != nil && !seen[k] {
					seen[k] = true
					all = append(all, k)
				}
			}
		}
	}
	inParts(len(all), func(i int) { l.sortOne(all[i].account, all[i].end, machines) })
}

// accountOf is the findings of a row by the machines at one of its ends.
type accountOf struct {
	*account
	end catalog.End
}

// of returns the findings of a machine at an end of the row; that end must have been sorted.
func (a *account) of(end catalog.End, machine int) []uint32 {
	by := &a.ends[end]
	return by.list[by.from[machine]:by.from[machine+1]]
}

// sortOne puts the findings of a row to the machines at one of its ends: first it counts those of each machine.
func (l *ledger) sortOne(a *account, end catalog.End, machines int) {
	by := byMachine{from: make([]uint32, machines+2)}
	for _, n := range a.all {
		for _, m := range l.at(n, a.row, end) {
			by.from[m+1]++
		}
	}
	by.from[1] = 0 // of no machine
	for m := 1; m < len(by.from); m++ {
		by.from[m] += by.from[m-1]
	}
	by.list = make([]uint32, by.from[machines+1])
	next := slices.Clone(by.from)
	for _, n := range a.all {
		for _, m := range l.at(n, a.row, end) {
			if k := next[m]; m != 0 {
				by.list[k], next[m] = n, k+1
			}
		}
	}
	a.ends[end] = by
}

// at returns which machines stand at an end of a row in a finding: the initiator, the responder, or where either end opens
// the row's conversations, both. 0 is no machine.
func (l *ledger) at(n uint32, row *catalog.Row, end catalog.End) (m [2]uint32) {
	f := l.findings[n]
	initiator, responder := f.i.member, f.r.member
	if f.Verdict == WrongDirection || f.Verdict == DirectionUnconfirmed && f.Shown.Bucket() != Documented {
		initiator, responder = responder, initiator
	}
	either := row.Listener == catalog.Either || f.Qualifiers.Has(Undirected)
	for i := range f.rests.readings {
		p := f.rests.readings[i].perm
		if p.Row != row {
			continue
		}
		if either || p.Initiator == end {
			m[0] = initiator
		}
		if either || p.Initiator != end {
			m[1] = responder
		}
	}
	if m[0] == m[1] {
		m[1] = 0
	}
	return m
}
