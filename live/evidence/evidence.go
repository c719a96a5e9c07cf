// Package evidence keeps the first packets of undocumented conversations in a pcapng file, each with a comment that names the
// finding: headers only, unless payload is asked for.
//
// Whether a conversation is documented is known only when it has been judged, so the first packets of every flow wait for
// that in memory. What waits and what is kept have a bound in bytes; the oldest goes first.
package evidence

import (
	"io"
	"log/slog"
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
	order   []evidence.Flow // of waiting, oldest first
	size    int

	exhibits map[string]*exhibit // by the finding's id; nil where there was no room for it any more; the loop's own
	shown    []*exhibit          // oldest first
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

// forget makes room for what waits.
func (r *Recorder) forget() {
	n := 0
	for ; r.size > r.limit && n < len(r.order)-1; n++ {
		r.size -= r.waiting[r.order[n]].size + evidence.PacketCost
		delete(r.waiting, r.order[n])
	}
	if n > 0 {
		r.order = append(r.order[:0], r.order[n:]...)
	}
}

// Judged implements live.Watcher: what belongs to an undocumented conversation is kept.
func (r *Recorder) Judged(j *live.Judgement) {
	var found []*match.Finding
	for i, f := range j.Result.Findings.In(match.Undocumented) {
		if !f.Disposition.Excepted() {
			found = append(found, j.Result.Findings.At(i))
		}
	}
	if len(found) > 0 {
		r.sift(found)
	}
	r.submit()
}

// sift moves what waits and belongs to a finding to what is kept, in the order in which the flows began.
func (r *Recorder) sift(found []*match.Finding) {
	index := evidence.NewIndex(found, false)
	r.tap.Lock()
	defer r.tap.Unlock()
	for _, k := range r.order {
		t := r.waiting[k]
		if len(t.packets) == 0 {
			continue
		}
		if i := index.Find(k, 0); i >= 0 {
			r.keep(found[i], t.packets)
		}
	}
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
		r.shown = slices.DeleteFunc(r.shown, func(e *exhibit) bool { return e == before })
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
		r.exhibits[oldest.id] = nil
		r.kept -= oldest.size
		r.shown = slices.Delete(r.shown, 0, 1)
	}
}

// submit hands what is kept to the writer, if it changed; what the writer has not taken yet is replaced.
func (r *Recorder) submit() {
	if !r.changed {
		return
	}
	r.changed = false
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
