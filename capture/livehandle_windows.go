package capture

import (
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/google/gopacket/pcap"
)

// handleHint says what to do where an interface cannot be opened.
const handleHint = "install Npcap (npcap.com), and run as administrator if it is restricted to them; flowvet live -D lists the interfaces"

// handle is one of Npcap's.
type handle struct {
	*pcap.Handle

	counting          sync.Mutex
	received, dropped uint64 // when last asked
}

// openHandle opens an interface. Nothing here was ever run on Windows: it compiles.
func openHandle(opt *LiveOptions) (*handle, error) {
	h, err := pcap.NewInactiveHandle(opt.Interface)
	if err != nil {
		return nil, err
	}
	defer h.CleanUp()
	err = errors.Join(h.SetSnapLen(opt.SnapLen), h.SetPromisc(!opt.NoPromiscuous), h.SetTimeout(opt.BlockTimeout), h.SetBufferSize(opt.RingBytes))
	if err != nil {
		return nil, err
	}
	active, err := h.Activate()
	if err != nil {
		return nil, err
	}
	return &handle{Handle: active}, nil
}

func (h *handle) link() Link      { return Link(h.LinkType()) }
func (h *handle) counted() bool   { return true }
func (h *handle) notes() []string { return nil }

// read returns the next frame; no data where none came in time.
func (h *handle) read() (data []byte, wire int, at time.Time, err error) {
	data, info, err := h.ZeroCopyReadPacketData()
	if errors.Is(err, pcap.NextErrorTimeoutExpired) {
		return nil, 0, time.Time{}, nil
	}
	return data, info.Length, info.Timestamp, err
}

func (h *handle) counts() (received, dropped uint64) {
	h.counting.Lock()
	defer h.counting.Unlock()
	if s, err := h.Stats(); err == nil {
		h.dropped = uint64(s.PacketsDropped)
		h.received = uint64(s.PacketsReceived) + h.dropped
	}
	return h.received, h.dropped
}

func (h *handle) close() error {
	h.Close()
	return nil
}

// Interfaces lists the interfaces that Npcap knows.
func Interfaces() ([]Device, error) {
	found, err := pcap.FindAllDevs()
	if err != nil {
		return nil, &InputError{Path: "interfaces", Reason: err.Error(), Hint: handleHint, Err: err}
	}
	devices := make([]Device, 0, len(found))
	for i, f := range found {
		d := Device{Index: i + 1, Name: f.Name, Text: f.Description, Supported: true}
		for _, a := range f.Addresses {
			if addr, ok := netip.AddrFromSlice(a.IP); ok {
				bits, _ := a.Netmask.Size()
				d.Addresses = append(d.Addresses, netip.PrefixFrom(addr.Unmap(), bits))
			}
		}
		devices = append(devices, d)
	}
	return devices, nil
}
