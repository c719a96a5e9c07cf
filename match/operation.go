package match

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
)

// Operation is something that the traffic itself shows to have happened: a vMotion, a host that fell silent, a protected
// pair whose log stopped.
type Operation struct {
	Number     int // from 1, in the order of time
	Kind       catalog.Event
	Start, End int64 // nanoseconds since 1970 UTC
	Open       bool  // it still went on when the captures ended; End is their end
	// Source and Target are the hosts a machine left and came to; the primary and the secondary of a pair; of a silence
	// Source alone, the silent host.
	Source, Target *inventory.Machine
	Next           *inventory.Machine // the host of a pair's new secondary; nil: none was seen
	NextAt         int64              // when its log began; valid iff Next is not nil
	Bytes          uint64             // of payload, from Source to Target
	Connections    int                // attempts included; 0 of a silence
	Outcome        Outcome            // of the best connection
	SwitchOver     capture.Event      // the announcement that followed; valid iff SwitchedOver
	SwitchedOver   bool
	Before         []Precursor // who spoke to the hosts shortly before, latest first
	Evidence       capture.Ref // its first packet
}

// Precursor is a conversation that an operation's hosts took part in before it.
type Precursor struct {
	Initiator, Responder netip.Addr
	From, To             *inventory.Placed
	Proto                capture.Proto
	Port                 uint16
	At                   int64 // its last second before the operation, nanoseconds since 1970 UTC
	Rows                 []*catalog.Row
}

// Throughput returns the payload in bits a second; 0 where the operation took no time.
func (o *Operation) Throughput() float64 {
	if o.End <= o.Start {
		return 0
	}
	return float64(o.Bytes) * 8 / time.Duration(o.End-o.Start).Seconds()
}

// How operations are told apart. The figures are flowvet's own.
const (
	// vmotionPause is the longest time without a connection that still belongs to one vMotion.
	vmotionPause = 5 * time.Second
	// announceWithin is how long after a vMotion or a failover the announcement of the machine is looked for.
	announceWithin = time.Minute
	// ftPause is the longest silence of a log that still runs: it has a message every half second.
	ftPause = 10 * time.Second
	// silentFor is the silence from which a host is taken for failed: HA declares it after 15 s, and it tells vCenter
	// every 10 s that it lives.
	silentFor = 45 * time.Second
	// beforeWithin is how long before an operation its precursors are looked for.
	beforeWithin = time.Minute
	// maxPrecursors bounds them.
	maxPrecursors = 5
)

// operations finds everything that happened, earliest first.
func (s *stage) operations() []Operation {
	all := slices.Concat(s.vmotions(), s.ftPairs(), s.silences())
	slices.SortStableFunc(all, func(a, b Operation) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Source.Name, b.Source.Name),
			cmp.Compare(machineNameOf(a.Target), machineNameOf(b.Target)))
	})
	for i := range all {
		all[i].Number = i + 1
		s.before(&all[i])
	}
	return all
}

// hostPair is two machines, in the order of their names.
type hostPair struct{ a, b *inventory.Machine }

func hostsOf(a, b *inventory.Machine) hostPair {
	if b.Name < a.Name {
		a, b = b, a
	}
	return hostPair{a, b}
}

// strandsOf returns the strands of documented conversations on rows of a class between two machines, by the machines.
func (s *stage) strandsOf(class catalog.Class) map[hostPair][]*strand {
	of := map[hostPair][]*strand{}
	for i := range s.watch.strands {
		st := &s.watch.strands[i]
		f := st.c
		if _, found := s.at[f]; !found || f.i.machine == nil || f.r.machine == nil || f.Bucket() != Documented && f.Verdict != DirectionUnconfirmed {
			continue
		}
		if slices.ContainsFunc(f.rows(), func(r *catalog.Row) bool { return r.Class == class }) {
			pair := hostsOf(f.i.machine, f.r.machine)
			of[pair] = append(of[pair], st)
		}
	}
	return of
}

// vmotions joins the connections of two hosts that overlap, or nearly, into vMotions.
func (s *stage) vmotions() []Operation {
	var all []Operation
	for pair, strands := range s.strandsOf(vmotionClass) {
		slices.SortFunc(strands, func(a, b *strand) int { return cmp.Compare(a.first, b.first) })
		for len(strands) > 0 {
			end, n := strands[0].last, 1
			for n < len(strands) && strands[n].first <= end+int64(vmotionPause) {
				end = max(end, strands[n].last)
				n++
			}
			all = append(all, s.vmotion(pair, strands[:n], end))
			strands = strands[n:]
		}
	}
	return all
}

func (s *stage) vmotion(pair hostPair, strands []*strand, end int64) Operation {
	o := Operation{Kind: catalog.EventVMotion, Start: strands[0].first, End: end}
	s.measure(&o, pair, strands)
	o.Open = end >= s.last-int64(time.Second)
	s.announced(&o, o.Start, o.End+int64(announceWithin), o.End)
	return o
}

// measure sums connections up. Memory goes where most of the payload goes; without any, from who began.
func (s *stage) measure(o *Operation, pair hostPair, strands []*strand) {
	var there, back uint64 // from pair.a to pair.b
	for _, st := range strands {
		f := st.c
		sent, received := st.sent.Content, st.received.Content
		if f.i.machine == pair.b {
			sent, received = received, sent
		}
		there, back = there+sent, back+received
		o.Connections += max(1, st.connections)
		o.Outcome = max(o.Outcome, st.became())
		if ref := firstRef(st); o.Evidence.Frame == 0 || ref.Before(o.Evidence) {
			o.Evidence = ref
		}
	}
	o.Source, o.Target, o.Bytes = pair.a, pair.b, there
	if back > there || back == there && strands[0].c.i.machine == pair.b {
		o.Source, o.Target, o.Bytes = pair.b, pair.a, back
	}
}

// firstRef names the first packet of a strand.
func firstRef(st *strand) capture.Ref {
	switch {
	case st.received.Packets == 0:
		return st.sent.FirstRef
	case st.sent.Packets == 0 || st.received.FirstRef.Before(st.sent.FirstRef):
		return st.received.FirstRef
	}
	return st.sent.FirstRef
}

// announced finds the announcement between two moments that is nearest to a third.
func (s *stage) announced(o *Operation, from, to, near int64) {
	distance := func(e *capture.Event) int64 { return max(e.At-near, near-e.At) }
	for i := range s.r.Events {
		e := &s.r.Events[i]
		if e.At < from || e.At > to {
			continue
		}
		if !o.SwitchedOver || distance(e) < distance(&o.SwitchOver) {
			o.SwitchOver, o.SwitchedOver = *e, true
		}
	}
}

// ftPairs finds the logs of protected pairs: each run of packets without a longer pause is one.
func (s *stage) ftPairs() []Operation {
	var all []Operation
	for pair, strands := range s.strandsOf(ftClass) {
		var seconds capture.Seconds
		strands = slices.DeleteFunc(strands, func(st *strand) bool { return st.became() != Success })
		for i, st := range strands {
			strands[i] = st.together()
			seconds = seconds.Union(strands[i].seconds)
		}
		for _, run := range bridged(seconds, ftPause) {
			all = append(all, s.ftPair(pair, strands, run))
		}
	}
	slices.SortFunc(all, func(a, b Operation) int { return cmp.Compare(a.Start, b.Start) })
	for i := range all {
		s.successor(&all[i], all)
	}
	return all
}

// together returns the strand as far as both of its ends spoke: what a survivor goes on sending to one that is gone, such as
// retransmissions for minutes, is no log between the two. A second of it is the tail that every end has.
func (s *strand) together() *strand {
	if s.sent.Packets == 0 || s.received.Packets == 0 {
		return s
	}
	last := min(s.sent.Last, s.received.Last)
	if s.last-last <= int64(time.Second) {
		return s
	}
	both := *s
	both.last = last
	both.seconds = s.seconds.Within(Window{s.first, last}.seconds())
	return &both
}

// bridged joins the runs of a set between which there is no longer pause.
func bridged(seconds capture.Seconds, pause time.Duration) capture.Seconds {
	var all capture.Seconds
	for _, run := range seconds {
		if n := len(all); n > 0 && time.Duration(run.First-all[n-1].Last)*time.Second <= pause {
			all[n-1].Last = run.Last
			continue
		}
		all = append(all, run)
	}
	return all
}

func (s *stage) ftPair(pair hostPair, strands []*strand, run capture.Run) Operation {
	o := Operation{Kind: catalog.EventFTPair, Start: nanos(run.First), End: nanos(run.Last)}
	in := keepStrands(strands, run)
	s.measure(&o, pair, in)
	for _, st := range in { // exact where whole flows lie within the run
		if floorSecond(st.first) == run.First {
			o.Start = max(o.Start, st.first)
		}
		if floorSecond(st.last) == run.Last {
			o.End = max(o.End, st.last)
		}
	}
	o.Open = o.End+int64(ftPause) > s.last
	if !o.Open {
		s.announced(&o, o.End-int64(time.Second), o.End+int64(announceWithin), o.End)
	}
	return o
}

func keepStrands(strands []*strand, run capture.Run) []*strand {
	return slices.DeleteFunc(slices.Clone(strands), func(st *strand) bool { return !st.seconds.Intersects(run) })
}

// successor finds the pair that follows one whose log stopped: the first that begins after it with one of its hosts. That
// host was the secondary.
func (s *stage) successor(o *Operation, pairs []Operation) {
	if o.Open {
		return
	}
	for i := range pairs {
		next := &pairs[i]
		if next.Start <= o.End {
			continue
		}
		for _, m := range []*inventory.Machine{o.Target, o.Source} {
			if m != next.Source && m != next.Target {
				continue
			}
			if m == o.Source && next.Source != o.Target && next.Target != o.Target {
				o.Source, o.Target = o.Target, o.Source
			}
			o.Next, o.NextAt = next.Source, next.Start
			if next.Source == o.Target {
				o.Next = next.Target
			}
			return
		}
	}
}

// silences finds the hosts that fell silent while the captures went on: for good, for long, or on their management network
// only.
func (s *stage) silences() []Operation {
	var all []Operation
	for _, m := range s.j.inv.Machines {
		if !s.roster.hosts[m] {
			continue
		}
		whole, mgmt := s.watch.heard(m)
		for _, gap := range s.gaps(whole) {
			all = append(all, s.silence(catalog.EventHAFailure, m, gap))
		}
		for _, gap := range s.gaps(mgmt) {
			if whole.Intersects(capture.Run{First: gap.First + 1, Last: gap.Last - 1}) && s.inHA(m) {
				all = append(all, s.silence(catalog.EventHAIsolation, m, gap))
			}
		}
	}
	return all
}

// gaps returns the silences of a machine that spoke before, each from its last second before to its first after, where
// the captures heard others and were not silent themselves.
func (s *stage) gaps(spoke capture.Seconds) []capture.Run {
	var all []capture.Run
	long := int64(silentFor / time.Second)
	for i, run := range spoke {
		gap := capture.Run{First: run.Last, Last: floorSecond(s.last)}
		if i+1 < len(spoke) {
			gap.Last = spoke[i+1].First
		}
		if gap.Last-gap.First >= long && s.blind(gap) < long {
			all = append(all, gap)
		}
	}
	return all
}

// blind returns the longest time within a gap, in seconds, in which no capture heard any machine.
func (s *stage) blind(gap capture.Run) int64 {
	dark, found := s.lit.LongestGap(capture.Run{First: gap.First + 1, Last: gap.Last - 1})
	if !found {
		return 0
	}
	return dark.Last - dark.First + 1
}

// inHA reports whether a machine took part in HA at some time.
func (s *stage) inHA(m *inventory.Machine) bool {
	return slices.ContainsFunc(s.findings, func(f *conv) bool {
		return (f.i.machine == m || f.r.machine == m) && slices.ContainsFunc(f.rows(), func(r *catalog.Row) bool {
			return r.Class == catalog.Class{Kind: catalog.IfUsed, Of: "ha"}
		})
	})
}

// silence makes an operation of a gap. It begins with the first second without a frame.
func (s *stage) silence(kind catalog.Event, m *inventory.Machine, gap capture.Run) Operation {
	o := Operation{Kind: kind, Source: m, Start: nanos(gap.First + 1), End: nanos(gap.Last), Open: gap.Last >= floorSecond(s.last)}
	s.announced(&o, o.Start, o.Start+int64(restartWithin), o.Start)
	return o
}

// restartWithin is how long after a host's failure the announcement of a machine that starts elsewhere is looked for: 15 s
// until the host is declared failed, and three minutes.
const restartWithin = 195 * time.Second

// before finds who spoke to the hosts of an operation shortly before it: their vCenter, and who was logged in there.
func (s *stage) before(o *Operation) {
	concerned := func(m *inventory.Machine) bool {
		return m != nil && (m == o.Source || m == o.Target || s.roster.vcenters[m])
	}
	window := capture.Run{First: floorSecond(o.Start - int64(beforeWithin)), Last: floorSecond(o.Start)}
	for _, f := range s.findings {
		if f.Bucket() != Documented || f.Proto != capture.TCP || !concerned(f.r.machine) || s.operates(f) {
			continue
		}
		in := f.seconds().Within(window)
		if len(in) == 0 || f.First > o.Start {
			continue
		}
		at := min(nanos(in[len(in)-1].Last), o.Start)
		o.Before = append(o.Before, Precursor{
			Initiator: f.Initiator, Responder: f.Responder, From: f.i.placed, To: f.r.placed, Proto: f.Proto, Port: f.Port,
			At: max(at, f.First), Rows: f.rows(),
		})
	}
	slices.SortStableFunc(o.Before, func(a, b Precursor) int {
		return cmp.Or(cmp.Compare(b.At, a.At), a.Initiator.Compare(b.Initiator), a.Responder.Compare(b.Responder), cmp.Compare(a.Port, b.Port))
	})
	o.Before = o.Before[:min(len(o.Before), maxPrecursors)]
}

// operates reports whether a conversation is part of an operation itself.
func (s *stage) operates(f *conv) bool {
	return slices.ContainsFunc(f.rows(), func(r *catalog.Row) bool { return r.Class == vmotionClass || r.Class == ftClass })
}

// became returns what became of one strand of a conversation that is judged.
func (st *strand) became() Outcome {
	if st.oneWay && st.c.Outcome == Success && !has(&st.sent, capture.Quoted) {
		return Success
	}
	return st.outcome
}

// lit returns when any capture heard any machine.
func lit(points []*point) capture.Seconds {
	var heard capture.Seconds
	for _, p := range points {
		heard = heard.Union(p.seen.lit.runs)
	}
	return heard
}
