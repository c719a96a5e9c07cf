// Package evidence keeps the first packets of undocumented conversations in a pcapng file, each with a comment that names the
// finding: headers only, unless payload is asked for.
//
// Whether a conversation is documented is known only when it has been judged, so the first packets of every flow wait for
// that in memory. What waits and what is kept have a bound in bytes; the oldest goes first.
package evidence

import (
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"sync"

	"flowvet/capture"
	"flowvet/evidence"
	"flowvet/live"
	"flowvet/match"
	"flowvet/report"
)

// Recorder keeps packets. It is a live.Watcher, and its Tap is one of capture.LiveOptions.
type Recorder struct {
	path    string
	limit   int
	payload bool
	log     *slog.Logger

	tap     sync.Mutex // of what waits
	decoder capture.Packet
	waiting map[evidence.Flow]*trail
	order   []evidence.Flow // of waiting, oldest first, from gone on
	gone    int
	size    int

	exhibits map[string]*exhibit // by the finding's id; nil where there was no room for it any more; the loop's own
	shown    []*exhibit          // oldest first; those that exhibits does not hold were replaced
	kept     int                 // bytes
	changed  bool

	writing  chan []*exhibit // at most one set waits: the newest
	finished sync.WaitGroup
	failed   bool // said
}

// trail is the beginning of a flow.
type trail struct {
	packets []evidence.Packet
	size    int
}

// exhibit is what is kept of one conversation. It does not change once it is handed to the writer.
type exhibit struct {
	id      string // of the finding
	comment string
	packets []evidence.Packet
	size    int
}

// New returns a recorder that writes the file anew whenever it has more to show, and holds at most limit bytes for it and
// as many for what waits.
func New(path string, limit int, payload bool, log *slog.Logger) *Recorder {
	r := &Recorder{
		path: path, limit: limit, payload: payload, log: log,
		waiting: map[evidence.Flow]*trail{}, exhibits: map[string]*exhibit{}, writing: make(chan []*exhibit, 1),
	}
	r.finished.Go(r.write)
	return r
}

// Tap is shown every frame, from any number of goroutines.
func (r *Recorder) Tap(f *capture.Frame) {
	r.tap.Lock()
	defer r.tap.Unlock()
	p := &r.decoder
	if p.Decode(f) != capture.Kept {
		return
	}
	k := evidence.FlowOf(p).Sorted()
	t := r.waiting[k]
	if t == nil {
		t = new(trail)
		r.waiting[k] = t
		r.order = append(r.order, k)
		r.size += evidence.PacketCost
	}
	if len(t.packets) >= evidence.PerFlow {
		return
	}
	taken := evidence.Take(f, p, r.payload)
	t.packets = append(t.packets, taken)
	t.size += taken.Size()
	r.size += taken.Size()
	r.forget()
}

// forget makes room for what waits. The order is moved when half of it is gone: moved for each flow that goes, it held up the capture of
// a flood.
func (r *Recorder) forget() {
	for ; r.size > r.limit && r.gone < len(r.order)-1; r.gone++ {
		r.size -= r.waiting[r.order[r.gone]].size + evidence.PacketCost
		delete(r.waiting, r.order[r.gone])
	}
	if 2*r.gone > len(r.order) {
		r.order = append(r.order[:0], r.order[r.gone:]...)
		r.gone = 0
	}
}

// Judged implements live.Watcher: what belongs to an undocumented conversation is kept, in the order in which the flows began.
func (r *Recorder) Judged(j *live.Judgement) {
	begun := r.begun()
	found := between(begun, j.Result.Findings)
	index := evidence.NewIndex(found, false)
	for _, b := range begun {
		if i := index.Find(b.flow, 0); i >= 0 {
			r.keep(found[i], b.packets)
		}
	}
	r.submit()
}

// beginning is what waits of a flow.
type beginning struct {
	flow    evidence.Flow
	packets []evidence.Packet
}

// begun returns all that waits: what becomes of it does not hold the capture up.
func (r *Recorder) begun() []beginning {
	r.tap.Lock()
	defer r.tap.Unlock()
	all := make([]beginning, 0, len(r.order)-r.gone)
	for _, k := range r.order[r.gone:] {
		if t := r.waiting[k]; len(t.packets) > 0 {
			all = append(all, beginning{k, slices.Clip(t.packets)})
		}
	}
	return all
}

// between returns the undocumented findings between addresses of which something waits: of a million, few.
func between(begun []beginning, all match.Findings) (found []*match.Finding) {
	type pair [2]netip.Addr // as of a sorted flow
	pairs := make(map[pair]bool, len(begun))
	for _, b := range begun {
		pairs[pair{b.flow.A.Addr(), b.flow.B.Addr()}] = true
	}
	waits := func(a, b netip.Addr) bool { return pairs[pair{a, b}] || pairs[pair{b, a}] }
	for i, f := range all.In(match.Undocumented) {
		if f.Disposition.Excepted() {
			continue
		}
		if waits(f.Initiator, f.Responder) || slices.ContainsFunc(f.Groups, func(g netip.Addr) bool { return waits(f.Initiator, g) }) {
			found = append(found, all.At(i))
		}
	}
	return found
}

// keep adds to what is kept of a finding what is not there yet, and lets go of the oldest where it is too much.
func (r *Recorder) keep(f *match.Finding, packets []evidence.Packet) {
	before, known := r.exhibits[f.ID()]
	if known && before == nil || !known && len(r.exhibits) >= live.MaxNews {
		return
	}
	after := &exhibit{id: f.ID(), comment: evidence.Comment(f)}
	if before != nil {
		after.packets, after.size = slices.Clone(before.packets), before.size
	}
	for _, p := range packets {
		if len(after.packets) < evidence.PerConversation && !slices.ContainsFunc(after.packets, p.Same) {
			after.packets = append(after.packets, p)
			after.size += p.Size()
		}
	}
	if before != nil && len(after.packets) == len(before.packets) {
		return
	}
	r.changed = true
	if before != nil {
		r.kept -= before.size
	}
	r.exhibits[f.ID()] = after
	r.shown = append(r.shown, after)
	r.kept += after.size
	r.retire()
}

// retire lets go of the oldest exhibits. That they were there is remembered, so that they push no others out in turn.
func (r *Recorder) retire() {
	for r.kept > r.limit && len(r.shown) > 1 {
		oldest := r.shown[0]
		r.shown = r.shown[1:]
		if !r.current(oldest) {
			continue
		}
		r.exhibits[oldest.id] = nil
		r.kept -= oldest.size
	}
}

// current reports whether an exhibit is that of its finding, not one that was replaced by a longer one.
func (r *Recorder) current(e *exhibit) bool { return r.exhibits[e.id] == e }

// submit hands what is kept to the writer, if it changed; what the writer has not taken yet is replaced.
func (r *Recorder) submit() {
	if !r.changed {
		return
	}
	r.changed = false
	r.shown = slices.DeleteFunc(r.shown, func(e *exhibit) bool { return !r.current(e) })
	set := slices.Clone(r.shown)
	select {
	case <-r.writing:
	default:
	}
	r.writing <- set
}

// Tick implements live.Watcher.
func (r *Recorder) Tick(*live.Status) {}

// Close writes what is left.
func (r *Recorder) Close() {
	close(r.writing)
	r.finished.Wait()
}

// write writes the file, whole or not at all, each time it is handed a set.
func (r *Recorder) write() {
	for set := range r.writing {
		err := report.WriteFile(r.path, func(w io.Writer) error { return evidence.Write(w, shown(set)) })
		if err != nil && !r.failed {
			r.log.Error("evidence not written: it is tried again with the next", "error", err)
		}
		r.failed = err != nil
	}
}

// shown returns the exhibits as they are written.
func shown(set []*exhibit) []evidence.Exhibit {
	all := make([]evidence.Exhibit, len(set))
	for i, e := range set {
		all[i] = evidence.Exhibit{Comment: e.comment, Packets: e.packets}
	}
	return all
}
