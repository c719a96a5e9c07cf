package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// linkStatus is what an interface is doing, and what it counted.
type linkStatus struct {
	Device
	hardware uint16 // ARPHRD_ value
	lost     uint64 // packets that it lost before any socket
}

// linkWatch hears of changes of one interface, by its name, over a netlink socket (rtnetlink(7)). Asking and hearing take
// no rights.
type linkWatch struct {
	name   string
	events int // socket of the group that is told of changes
	asking *asker
}

func newLinkWatch(name string) (*linkWatch, error) {
	if name == "" || len(name) >= unix.IFNAMSIZ {
		return nil, unix.ENODEV
	}
	asking, err := newAsker()
	if err != nil {
		return nil, err
	}
	events, err := netlinkSocket(unix.RTMGRP_LINK)
	if err != nil {
		return nil, errors.Join(err, asking.close())
	}
	return &linkWatch{name: name, events: events, asking: asking}, nil
}

// netlinkSocket returns a socket that is told of the groups.
func netlinkSocket(groups uint32) (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return 0, fmt.Errorf("a netlink socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		return 0, errors.Join(fmt.Errorf("a netlink socket: %w", err), unix.Close(fd))
	}
	return fd, nil
}

// wait returns what the interface did, oldest first, as soon as there is something, or nothing after the time-out. Some is
// true where something changed, of whatever interface, or too much at once to be told.
func (w *linkWatch) wait(timeout time.Duration) (did []linkStatus, some bool) {
	fds := []unix.PollFd{{Fd: int32(w.events), Events: unix.POLLIN}}
	if n, err := unix.Poll(fds, int(max(timeout.Milliseconds(), 1))); err != nil || n == 0 {
		return nil, false
	}
	buffer := make([]byte, netlinkBuffer)
	for {
		n, _, err := unix.Recvfrom(w.events, buffer, unix.MSG_DONTWAIT)
		if err == unix.EINTR {
			continue
		}
		if err == unix.ENOBUFS {
			some = true
			continue
		}
		if err != nil || n == 0 {
			return did, some
		}
		some = true
		messages, _ := syscall.ParseNetlinkMessage(buffer[:n]) // the kernel's own
		for i := range messages {
			if s, ok := linkOf(&messages[i]); ok && s.Name == w.name {
				did = append(did, s)
			}
		}
	}
}

// query asks what the interface is doing. One that is not there is LinkGone.
func (w *linkWatch) query() (linkStatus, error) {
	messages, err := w.asking.ask(unix.RTM_GETLINK, 0, attribute(unix.IFLA_IFNAME, append([]byte(w.name), 0)))
	if errors.Is(err, unix.ENODEV) {
		return linkStatus{Device: Device{Name: w.name, State: LinkGone}}, nil
	}
	if err != nil {
		return linkStatus{}, err
	}
	for i := range messages {
		if s, ok := linkOf(&messages[i]); ok {
			return s, nil
		}
	}
	return linkStatus{}, errors.New("the kernel does not answer a question for an interface")
}

// close gives the sockets back.
func (w *linkWatch) close() error { return errors.Join(unix.Close(w.events), w.asking.close()) }

// asker asks the kernel, over a netlink socket.
type asker struct {
	fd       int
	sequence uint32
}

// netlinkBuffer holds any answer: the kernel makes none larger than 32 KiB.
const netlinkBuffer = 64 << 10

func newAsker() (*asker, error) {
	fd, err := netlinkSocket(0)
	if err != nil {
		return nil, err
	}
	return &asker{fd: fd}, nil
}

func (a *asker) close() error { return unix.Close(a.fd) }

// ask sends a request for links or addresses, and returns the answers.
func (a *asker) ask(kind, flags uint16, attributes []byte) ([]syscall.NetlinkMessage, error) {
	a.sequence++
	const header, body = unix.SizeofNlMsghdr, unix.SizeofIfInfomsg
	request := make([]byte, header+body, header+body+len(attributes))
	binary.NativeEndian.PutUint32(request, uint32(header+body+len(attributes)))
	binary.NativeEndian.PutUint16(request[4:], kind)
	binary.NativeEndian.PutUint16(request[6:], flags|unix.NLM_F_REQUEST)
	binary.NativeEndian.PutUint32(request[8:], a.sequence)
	if err := unix.Sendto(a.fd, append(request, attributes...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, fmt.Errorf("asking the kernel for interfaces: %w", err)
	}
	var answers []syscall.NetlinkMessage
	for {
		more, done, err := a.answer()
		if err != nil {
			return nil, fmt.Errorf("asking the kernel for interfaces: %w", err)
		}
		answers = append(answers, more...)
		if done || flags&unix.NLM_F_DUMP == 0 && len(answers) > 0 {
			return answers, nil
		}
	}
}

// answer receives once.
func (a *asker) answer() (answers []syscall.NetlinkMessage, done bool, err error) {
	buffer := make([]byte, netlinkBuffer)
	n, _, err := unix.Recvfrom(a.fd, buffer, 0)
	if err == unix.EINTR {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	messages, err := syscall.ParseNetlinkMessage(buffer[:n])
	if err != nil {
		return nil, false, err
	}
	for _, m := range messages {
		switch {
		case m.Header.Seq != a.sequence:
		case m.Header.Type == unix.NLMSG_DONE:
			done = true
		case m.Header.Type == unix.NLMSG_ERROR && len(m.Data) >= 4:
			return nil, true, unix.Errno(-int32(binary.NativeEndian.Uint32(m.Data)))
		default:
			answers = append(answers, m)
		}
	}
	return answers, done, nil
}

// attribute returns a netlink attribute, padded.
func attribute(kind uint16, value []byte) []byte {
	const header = unix.SizeofRtAttr
	b := make([]byte, (header+len(value)+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1))
	binary.NativeEndian.PutUint16(b, uint16(header+len(value)))
	binary.NativeEndian.PutUint16(b[2:], kind)
	copy(b[header:], value)
	return b
}

// linkOf reads a message that is of an interface.
func linkOf(m *syscall.NetlinkMessage) (linkStatus, bool) {
	var s linkStatus
	if m.Header.Type != unix.RTM_NEWLINK && m.Header.Type != unix.RTM_DELLINK || len(m.Data) < unix.SizeofIfInfomsg {
		return s, false
	}
	if m.Data[0] != unix.AF_UNSPEC { // the bridge's view of a port, which comes and goes while the interface stays
		return s, false
	}
	s.hardware = binary.NativeEndian.Uint16(m.Data[2:])
	s.Index = int(int32(binary.NativeEndian.Uint32(m.Data[4:])))
	flags := binary.NativeEndian.Uint32(m.Data[8:])
	s.Loopback = flags&unix.IFF_LOOPBACK != 0
	s.State = stateOf(flags)
	if m.Header.Type == unix.RTM_DELLINK {
		s.State = LinkGone
	}
	attributes, err := syscall.ParseNetlinkRouteAttr(m)
	if err != nil {
		return s, false
	}
	for _, a := range attributes {
		switch a.Attr.Type {
		case unix.IFLA_IFNAME:
			s.Name = strings.TrimRight(string(a.Value), "\x00")
		case unix.IFLA_MTU:
			s.MTU = int(binary.NativeEndian.Uint32(a.Value))
		case unix.IFLA_STATS64:
			s.lost = lostBefore(a.Value)
		}
	}
	return s, true
}

func stateOf(flags uint32) LinkState {
	switch {
	case flags&unix.IFF_UP == 0:
		return LinkDown
	case flags&unix.IFF_RUNNING == 0:
		return LinkNoCarrier
	}
	return LinkUp
}

// lostBefore returns how many packets an interface lost for want of a place (struct rtnl_link_stats64). Its rx_dropped is no
// part of that: it counts frames, too, that every socket saw and no protocol wanted, such as those with two VLAN tags.
func lostBefore(stats []byte) uint64 {
	const overflown, missed = 14 * 8, 15 * 8
	if len(stats) < missed+8 {
		return 0
	}
	n := func(at int) uint64 { return binary.NativeEndian.Uint64(stats[at:]) }
	return n(overflown) + n(missed)
}

// linkOfHardware returns the link type of the frames of an interface (linux/if_arp.h).
func linkOfHardware(hardware uint16) (Link, bool) {
	switch hardware {
	case unix.ARPHRD_ETHER, unix.ARPHRD_LOOPBACK:
		return LinkEthernet, true
	case unix.ARPHRD_NONE, unix.ARPHRD_RAWIP, unix.ARPHRD_PPP:
		return LinkRaw, true
	}
	return 0, false
}

// Interfaces lists the interfaces of this machine, in the order of their numbers.
func Interfaces() ([]Device, error) {
	a, err := newAsker()
	if err != nil {
		return nil, err
	}
	defer a.close()
	links, err := a.ask(unix.RTM_GETLINK, unix.NLM_F_DUMP, nil)
	if err != nil {
		return nil, err
	}
	var devices []Device
	for i := range links {
		if s, ok := linkOf(&links[i]); ok {
			_, s.Supported = linkOfHardware(s.hardware)
			devices = append(devices, s.Device)
		}
	}
	addresses, err := a.ask(unix.RTM_GETADDR, unix.NLM_F_DUMP, nil)
	if err != nil {
		return nil, err
	}
	for i := range addresses {
		if index, prefix, ok := addressOfLink(&addresses[i]); ok {
			if at := slices.IndexFunc(devices, func(d Device) bool { return d.Index == index }); at >= 0 {
				devices[at].Addresses = append(devices[at].Addresses, prefix)
			}
		}
	}
	slices.SortFunc(devices, func(a, b Device) int { return a.Index - b.Index })
	return devices, nil
}

// addressOfLink reads a message that is of an address of an interface.
func addressOfLink(m *syscall.NetlinkMessage) (index int, prefix netip.Prefix, ok bool) {
	if m.Header.Type != unix.RTM_NEWADDR || len(m.Data) < unix.SizeofIfAddrmsg {
		return 0, netip.Prefix{}, false
	}
	bits := int(m.Data[1])
	index = int(binary.NativeEndian.Uint32(m.Data[4:]))
	attributes, err := syscall.ParseNetlinkRouteAttr(m)
	if err != nil {
		return 0, netip.Prefix{}, false
	}
	var own, peer netip.Addr // of a line between two, ADDRESS is the other end's
	for _, a := range attributes {
		switch addr, _ := netip.AddrFromSlice(a.Value); a.Attr.Type {
		case unix.IFA_LOCAL:
			own = addr
		case unix.IFA_ADDRESS:
			peer = addr
		}
	}
	if !own.IsValid() {
		own = peer
	}
	return index, netip.PrefixFrom(own, bits), own.IsValid()
}
