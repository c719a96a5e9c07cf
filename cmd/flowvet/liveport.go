package main

import (
	"time"

	"flowvet/capture"
	"flowvet/capture/filter"
	"flowvet/match"
)

// portFlags say what to capture from, and how.
type portFlags struct {
	name         string
	list         bool
	modest       bool // no promiscuous mode
	snapLen      int
	ring         string
	blockTimeout time.Duration
	sockets      int
	onLost       string
	foldIdle     time.Duration
}

// bind registers the flags, with tcpdump's and dumpcap's letters.
func (f *portFlags) bind(flags *flagSet) {
	flags.StringVarP(&f.name, "interface", "i", "", "the interface `NAME` to capture from")
	flags.BoolVarP(&f.list, "list-interfaces", "D", false, "list the interfaces and exit")
	flags.BoolVarP(&f.modest, "no-promiscuous-mode", "p", false, "see only what is sent to this machine")
	flags.IntVarP(&f.snapLen, "snaplen", "s", capture.DefaultSnapLen, "look at the first `BYTES` of a frame: headers need no more")
	flags.StringVar(&f.ring, "ring", "64MiB", "the `SIZE` of the buffer that the kernel fills")
	flags.DurationVar(&f.blockTimeout, "block-timeout", capture.DefaultBlockTimeout, "the `TIME` a packet may wait there when little comes")
	flags.IntVar(&f.sockets, "sockets", 1, "share the traffic among `N` sockets, each with a processor")
	flags.StringVar(&f.onLost, "on-lost", "wait", "`WHAT` to do when the interface goes: wait until it is there again, or exit")
	flags.DurationVar(&f.foldIdle, "fold-idle", 10*time.Minute, "keep one flow of those of a client with a service that were silent for this `TIME`, 0 to keep each; with --scenario each is kept")
}

// maxRing is the largest buffer that may be asked for: a kernel gives no more in one piece.
const maxRing = 4 << 30

// leastIdle is the shortest silence after which a flow may be called idle: of an answer that is waited for more is known by
// then.
const leastIdle = 2 * match.AnswerTimeout

// options checks the flags.
func (f *portFlags) options(judged *checkFlags, g match.Grounds) (o capture.LiveOptions, err error) {
	ring, ok := parseSize(f.ring)
	switch {
	case !ok || ring > maxRing:
		return o, usagef("--ring: %q is no size up to 4GiB: write bytes, or a number with KiB, MiB or GiB", f.ring)
	case f.snapLen < 64 || f.snapLen > 262144:
		return o, usagef("--snaplen: %d: 64 to 262144 bytes", f.snapLen)
	case f.sockets < 1 || f.sockets > 64:
		return o, usagef("--sockets: %d: 1 to 64", f.sockets)
	case f.foldIdle != 0 && f.foldIdle < leastIdle:
		return o, usagef("--fold-idle: %v: %v at least, or 0", f.foldIdle, leastIdle)
	case f.blockTimeout < time.Millisecond || f.blockTimeout > time.Second:
		return o, usagef("--block-timeout: %v: 1ms to 1s", f.blockTimeout)
	}
	if err := oneOf("on-lost", f.onLost, "wait", "exit"); err != nil {
		return o, err
	}
	o = capture.LiveOptions{
		Interface: f.name, SnapLen: f.snapLen, RingBytes: int(ring), BlockTimeout: f.blockTimeout, Sockets: f.sockets, NoPromiscuous: f.modest,
		Options: capture.Options{
			Dedup: judged.dedup, MaxFlows: judged.maxFlows, Keep: machines(g.Inventory),
			Segments: judged.segment == byVLAN || g.Inventory != nil && g.Inventory.Overlapping,
		},
	}
	if judged.scenario.name == "" {
		o.FoldIdle, o.Client = f.foldIdle, match.ClientPorts(g.Catalog)
	}
	if f.onLost == "exit" {
		o.OnLost = capture.Exit
	}
	o.Filter, err = liveFilter(g.Filter, f.snapLen)
	return o, err
}

// ethernet is the link type of the frames that a live filter is for (LINKTYPE_ETHERNET).
const ethernet = 1

// liveFilter compiles a filter for the kernel; nil for none.
func liveFilter(f *filter.Filter, snapLen int) (*capture.LiveFilter, error) {
	if f == nil {
		return nil, nil
	}
	program, err := f.CompileLive(ethernet, uint32(snapLen))
	if err != nil {
		return nil, usageError{err}
	}
	var code []capture.Instruction
	for _, i := range program.Instructions() {
		code = append(code, capture.Instruction{Op: i.Op, Jt: i.Jt, Jf: i.Jf, K: i.K})
	}
	keeps := func(data []byte, wire int, tag uint16, tagged bool) bool {
		if tagged {
			return program.KeepsTagged(data, wire, tag)
		}
		return program.Keeps(data, wire)
	}
	return &capture.LiveFilter{Text: f.String(), Program: code, Keeps: keeps}, nil
}
