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
	"flowvet/live"
	"flowvet/match"
	"flowvet/report"
)

// The packets that are kept.
const (
	perFlow         = 4  // of each flow
	perConversation = 16 // of all flows of a conversation
	packetCost      = 96 // bytes that a packet takes besides its own
)

// Recorder keeps packets. It is a live.Watcher, and its Tap is one of capture.LiveOptions.
type Recorder struct {
	path    string
	limit   int
	payload bool
	log     *slog.Logger

	tap     sync.Mutex // of what waits
	decoder capture.Packet
	waiting map[flow]*trail
	order   []flow // of waiting, oldest first
	size    int

	exhibits map[string]*exhibit // by the finding's id; nil where there was no room for it any more; the loop's own
	shown    []*exhibit          // oldest first
	kept     int                 // bytes
	changed  bool

	writing  chan []*exhibit // at most one set waits: the newest
	finished sync.WaitGroup
	failed   bool // said
}

// flow is a 5-tuple, the smaller end first.
type flow struct {
	a, b  netip.AddrPort
	proto capture.Proto
}

// trail is the beginning of a flow.
type trail struct {
	packets []packet
	size    int
}

// packet is a packet as it will stand in the file.
type packet struct {
	nanos   int64
	wireLen int
	link    capture.Link
	data    []byte
	from    flow
}

// exhibit is what is kept of one conversation. It does not change once it is handed to the writer.
type exhibit struct {
	id      string // of the finding
	comment string
	packets []packet
	size    int
}

// New returns a recorder that writes the file anew whenever it has more to show, and holds at most limit bytes for it and
// as many for what waits.
func New(path string, limit int, payload bool, log *slog.Logger) *Recorder {
	r := &Recorder{
		path: path, limit: limit, payload: payload, log: log,
		waiting: map[flow]*trail{}, exhibits: map[string]*exhibit{}, writing: make(chan []*exhibit, 1),
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
	k := flow{p.Src(), p.Dst(), p.Proto}
	from := k
	if k.b.Compare(k.a) < 0 {
		k.a, k.b = k.b, k.a
	}
	t := r.waiting[k]
	if t == nil {
		t = new(trail)
		r.waiting[k] = t
		r.order = append(r.order, k)
		r.size += packetCost
	}
	if len(t.packets) >= perFlow {
		return
	}
	data := f.Data
	if !r.payload {
		data = data[:min(len(data), p.HeaderLen(f))]
	}
	t.packets = append(t.packets, packet{f.Nanos, f.WireLen, f.Link, slices.Clone(data), from})
	t.size += len(data) + packetCost
	r.size += len(data) + packetCost
	r.forget()
}

// forget makes room for what waits.
func (r *Recorder) forget() {
	n := 0
	for ; r.size > r.limit && n < len(r.order)-1; n++ {
		r.size -= r.waiting[r.order[n]].size + packetCost
		delete(r.waiting, r.order[n])
	}
	if n > 0 {
		r.order = append(r.order[:0], r.order[n:]...)
	}
}

// conversation is what a finding is about.
type conversation struct {
	initiator, responder netip.Addr
	port                 uint16
	proto                capture.Proto
}

// Judged implements live.Watcher: what belongs to an undocumented conversation is kept.
func (r *Recorder) Judged(j *live.Judgement) {
	found := map[conversation]*match.Finding{}
	for i := range j.Result.Findings {
		f := j.Result.Findings[i]
		if f.Bucket() != match.Undocumented || f.Disposition.Excepted() {
			continue
		}
		for _, responder := range append(f.Groups, f.Responder) {
			found[conversation{f.Initiator, responder, f.Port, f.Proto}] = f
		}
	}
	if len(found) > 0 {
		r.sift(found)
	}
	r.submit()
}

// sift moves what waits and belongs to a finding to what is kept, in the order in which the flows began.
func (r *Recorder) sift(found map[conversation]*match.Finding) {
	r.tap.Lock()
	defer r.tap.Unlock()
	for _, k := range r.order {
		t := r.waiting[k]
		if len(t.packets) == 0 {
			continue
		}
		f := found[conversation{k.a.Addr(), k.b.Addr(), k.b.Port(), k.proto}]
		if f == nil {
			f = found[conversation{k.b.Addr(), k.a.Addr(), k.a.Port(), k.proto}]
		}
		if f != nil {
			r.keep(f, t.packets)
		}
	}
}

// keep adds to what is kept of a finding what is not there yet, and lets go of the oldest where it is too much.
func (r *Recorder) keep(f *match.Finding, packets []packet) {
	before, known := r.exhibits[f.ID()]
	if known && before == nil || !known && len(r.exhibits) >= live.MaxNews {
		return
	}
	after := &exhibit{id: f.ID(), comment: "flowvet " + f.ID() + ": " + report.FindingLine(f)}
	if before != nil {
		after.packets, after.size = slices.Clone(before.packets), before.size
	}
	for _, p := range packets {
		if len(after.packets) < perConversation && !slices.ContainsFunc(after.packets, p.same) {
			after.packets = append(after.packets, p)
			after.size += len(p.data) + packetCost
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

// same reports whether two packets are one.
func (p packet) same(o packet) bool { return p.nanos == o.nanos && p.from == o.from }

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
		err := report.WriteFile(r.path, func(w io.Writer) error { return writePcapng(w, set) })
		if err != nil && !r.failed {
			r.log.Error("evidence not written: it is tried again with the next", "error", err)
		}
		r.failed = err != nil
	}
}
