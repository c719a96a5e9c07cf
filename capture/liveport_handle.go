//go:build windows || darwin || dragonfly || freebsd || netbsd || openbsd

package capture

import (
	"errors"
	"fmt"
	"time"
)

// port is what capturing from an interface has open: one handle of the system's packet filter.
type port struct {
	index   int
	link    Link
	counted bool // the system says what it dropped
	sockets []*socket
	watch   linkWatch
	notes   []string
}

// openPort opens the interface.
func openPort(opt *LiveOptions) (*port, error) {
	if opt.Sockets > 1 {
		return nil, &InputError{Path: opt.Interface, Reason: "several sockets share an interface on Linux only"}
	}
	h, err := openHandle(opt)
	if err != nil {
		return nil, &InputError{Path: opt.Interface, Reason: err.Error(), Hint: handleHint, Err: err}
	}
	s := &socket{handle: h, link: h.link(), snap: opt.SnapLen}
	if f := opt.Filter; f != nil {
		s.filterHere, s.keeps = true, f.Keeps
		if s.link != LinkEthernet {
			return nil, errors.Join(notEthernet(opt.Interface), h.close())
		}
	}
	return &port{link: s.link, counted: h.counted(), sockets: []*socket{s}, notes: h.notes()}, nil
}

// again is never asked for: nothing here hears of an interface that comes back.
func (p *port) again(int) ([]*socket, error) { return nil, errors.ErrUnsupported }

// said returns what a person should know.
func (p *port) said() []string { return p.notes }

// close gives the handle back.
func (p *port) close() error {
	var err error
	for _, s := range p.sockets {
		err = errors.Join(err, s.close())
	}
	p.sockets = nil
	return err
}

// socket reads the frames of a handle, one at a time.
type socket struct {
	handle     *handle
	link       Link
	snap       int
	filterHere bool
	keeps      func(data []byte, wire int, tag uint16, tagged bool) bool
	frame      [1]Frame
	untagged   []byte // of a frame, for the filter
	stopped    bool
}

// next hands over a frame, or none if none comes in time.
func (s *socket) next(handle func([]Frame)) error {
	data, wire, at, err := s.handle.read()
	if err != nil {
		return fmt.Errorf("waiting for packets: %w", err)
	}
	if data == nil || s.stopped {
		return nil
	}
	f := &s.frame[0]
	*f = Frame{Nanos: at.UnixNano(), Link: s.link, WireLen: wire, Data: data[:min(len(data), s.snap)]}
	if s.keeps != nil {
		f.rejected = !s.keep(data, wire)
	}
	handle(s.frame[:])
	return nil
}

// keep asks the filter, which is one for frames without their outermost VLAN tag.
func (s *socket) keep(data []byte, wire int) bool {
	const etherType = macAddresses
	if len(data) < etherHeader+vlanTag || tagSize(uint16(data[etherType])<<8|uint16(data[etherType+1])) != vlanTag {
		return s.keeps(data, wire, 0, false)
	}
	tag := uint16(data[etherType+2])<<8 | uint16(data[etherType+3])
	s.untagged = append(append(s.untagged[:0], data[:macAddresses]...), data[macAddresses+vlanTag:]...)
	return s.keeps(s.untagged, wire-vlanTag, tag, true)
}

// counts returns how many frames came, and how many of them were dropped, as far as the system says.
func (s *socket) counts() (received, dropped uint64) { return s.handle.counts() }

// stop lets no more frames in.
func (s *socket) stop() error {
	s.stopped = true
	return nil
}

func (s *socket) close() error { return s.handle.close() }

// linkStatus is what an interface is doing.
type linkStatus struct {
	Device
	lost uint64
}

// linkWatch hears nothing: that an interface is gone shows when reading from it fails.
type linkWatch struct{}

func (linkWatch) wait(timeout time.Duration) (did []linkStatus, some bool) {
	time.Sleep(timeout)
	return nil, false
}

func (linkWatch) query() (linkStatus, error) { return linkStatus{}, nil }
