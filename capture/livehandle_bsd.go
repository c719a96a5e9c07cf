//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package capture

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/gopacket/bsdbpf"
)

// handleHint says what to do where an interface cannot be opened.
const handleHint = "run as root, or with the right to read and write /dev/bpf*; flowvet live -D lists the interfaces"

// handle is a BPF device. bsdbpf gives no way to ask it for its drops, nor to give it a filter.
type handle struct {
	*bsdbpf.BPFSniffer
	of   Link
	seen atomic.Uint64
}

// largestBPF is the largest buffer that BPF gives by default on FreeBSD and macOS (debug.bpf_maxbufsize).
const largestBPF = 512 << 10

// openHandle opens an interface. Nothing here was ever run on macOS or a BSD: it compiles.
func openHandle(opt *LiveOptions) (h *handle, err error) {
	i, err := net.InterfaceByName(opt.Interface)
	if err != nil {
		return nil, err
	}
	h = &handle{of: LinkEthernet}
	if i.Flags&(net.FlagLoopback|net.FlagPointToPoint) != 0 {
		h.of = LinkNull
	}
	defer func() {
		if fault := recover(); fault != nil { // bsdbpf panics where it may open no device
			h, err = nil, fmt.Errorf("%v", fault)
		}
	}()
	timeout := syscall.NsecToTimeval(opt.BlockTimeout.Nanoseconds())
	h.BPFSniffer, err = bsdbpf.NewBPFSniffer(opt.Interface, &bsdbpf.Options{
		ReadBufLen: min(opt.RingBytes, largestBPF), Timeout: &timeout, Promisc: !opt.NoPromiscuous, PreserveLinkAddr: true,
	})
	if err != nil {
		return nil, err
	}
	return h, nil
}

func (h *handle) link() Link    { return h.of }
func (h *handle) counted() bool { return false }

func (h *handle) notes() []string {
	return []string{"what this system drops is not known: nothing proves that it dropped nothing"}
}

// read returns the next frame; no data where none came in time, which the library returns as a frame of nothing.
func (h *handle) read() (data []byte, wire int, at time.Time, err error) {
	data, info, err := h.ReadPacketData()
	switch {
	case errors.Is(err, syscall.EINTR) || errors.Is(err, syscall.EAGAIN):
		return nil, 0, time.Time{}, nil
	case err != nil || info.Length == 0:
		return nil, 0, time.Time{}, err
	}
	h.seen.Add(1)
	return data, info.Length, info.Timestamp, nil
}

// counts returns what was read.
func (h *handle) counts() (received, dropped uint64) { return h.seen.Load(), 0 }

func (h *handle) close() error { return h.Close() }

// Interfaces lists the interfaces of this machine.
func Interfaces() ([]Device, error) {
	found, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	devices := make([]Device, 0, len(found))
	for _, f := range found {
		d := Device{Index: f.Index, Name: f.Name, MTU: f.MTU, Loopback: f.Flags&net.FlagLoopback != 0, Supported: true}
		switch {
		case f.Flags&net.FlagUp == 0:
			d.State = LinkDown
		case f.Flags&net.FlagRunning == 0:
			d.State = LinkNoCarrier
		}
		addresses, err := f.Addrs()
		if err != nil {
			return nil, err
		}
		for _, a := range addresses {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil {
				d.Addresses = append(d.Addresses, prefix)
			}
		}
		devices = append(devices, d)
	}
	return devices, nil
}
