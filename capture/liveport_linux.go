package capture

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// port is what capturing from an interface has open.
type port struct {
	opt     *LiveOptions
	index   int // of the interface that the sockets are bound to
	link    Link
	counted bool // always: the kernel counts what it drops
	local   bool // the loopback interface, which shows every packet twice: going and coming
	sockets []*socket
	watch   *linkWatch
	spares  []int // packet sockets that wait for the interface to come back: a group of sockets cannot be bound again
	notes   []string
}

// spareGroups is how often an interface that several sockets share can be deleted and come back once the right to open
// sockets is given up.
const spareGroups = 32

// openPort opens the sockets, with their rings, and lets packets in when all is in place.
func openPort(opt *LiveOptions) (*port, error) {
	p := &port{opt: opt, counted: true}
	watch, err := newLinkWatch(opt.Interface)
	if err != nil {
		return nil, p.failure(err)
	}
	p.watch = watch
	if err := p.open(); err != nil {
		return nil, errors.Join(p.failure(err), p.close())
	}
	return p, nil
}

// failure says what went wrong, and what to do about it.
func (p *port) failure(err error) error {
	if said := (*InputError)(nil); errors.As(err, &said) {
		return err
	}
	e := &InputError{Path: p.opt.Interface, Reason: err.Error(), Err: err}
	switch {
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES):
		e.Reason, e.Hint = "no right to capture", `run as root, or once as root: setcap cap_net_raw+ep "$(command -v flowvet)"`
	case errors.Is(err, unix.ENODEV):
		e.Reason, e.Hint = "no such interface", "flowvet live -D lists them"
	case errors.Is(err, unix.ENOMEM):
		e.Hint = "take a smaller ring"
	}
	return e
}

func (p *port) open() error {
	now, err := p.watch.query()
	if err != nil {
		return err
	}
	if now.State == LinkGone {
		return unix.ENODEV
	}
	link, ok := linkOfHardware(now.hardware)
	if !ok {
		return fmt.Errorf("an interface of hardware type %d, whose frames nothing here can read", now.hardware)
	}
	if p.opt.Filter != nil && link != LinkEthernet {
		return notEthernet(p.opt.Interface)
	}
	p.link, p.local = link, now.Loopback
	for range p.opt.Sockets {
		fd, err := packetSocket()
		if err != nil {
			return err
		}
		s, err := p.prepare(fd)
		if err != nil {
			return err
		}
		p.sockets = append(p.sockets, s)
	}
	for range spareGroups * (p.opt.Sockets - 1) {
		fd, err := packetSocket()
		if err != nil {
			return err
		}
		p.spares = append(p.spares, fd)
	}
	return p.admit(p.sockets, now.Index)
}

// packetSocket returns a socket that sees nothing until it is bound: its protocol is none.
func packetSocket() (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("a packet socket: %w", err)
	}
	return fd, nil
}

// prepare gives a socket its ring. It owns fd.
func (p *port) prepare(fd int) (*socket, error) {
	s := &socket{fd: fd, link: p.link}
	for _, o := range []struct {
		name       string
		key, value int
	}{
		{"TPACKET_V3", unix.PACKET_VERSION, unix.TPACKET_V3},
		{"room for a VLAN tag", unix.PACKET_RESERVE, vlanTag},
	} {
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, o.key, o.value); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", o.name, err), s.close())
		}
	}
	// Where the card's own stamps are not to be had, the kernel's are taken.
	_ = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_TIMESTAMP, unix.SOF_TIMESTAMPING_RAW_HARDWARE)
	if err := attach(fd, rejectAll); err != nil {
		return nil, errors.Join(err, s.close())
	}
	ring, err := newRing(fd, p.opt.RingBytes/p.opt.Sockets, p.opt.BlockTimeout)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.ring = ring
	return s, nil
}

// admit binds sockets to the interface of that number, makes a group of several, and only then lets packets in: a socket that is bound
// and not yet of the group would see the packets of the others.
func (p *port) admit(sockets []*socket, index int) error {
	group := -1
	for _, s := range sockets {
		if err := p.bind(s.fd, index); err != nil {
			return err
		}
		if len(sockets) > 1 {
			var err error
			if group, err = joinGroup(s.fd, group); err != nil {
				return err
			}
		}
	}
	for _, s := range sockets {
		if err := p.filter(s); err != nil {
			return err
		}
	}
	p.index = index
	return nil
}

// bind binds a socket to the interface of that number. It takes no rights, which is how an interface that was deleted is
// captured from again.
func (p *port) bind(fd, index int) error {
	const all = unix.ETH_P_ALL>>8 | unix.ETH_P_ALL&0xff<<8 // in network order
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: index}); err != nil {
		return fmt.Errorf("binding to the interface: %w", err)
	}
	if p.opt.NoPromiscuous {
		return nil
	}
	member := unix.PacketMreq{Ifindex: int32(index), Type: unix.PACKET_MR_PROMISC}
	if err := unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &member); err != nil {
		return fmt.Errorf("promiscuous mode: %w", err)
	}
	return nil
}

// joinGroup makes a socket one of a group over which the kernel spreads flows by a hash that is the same both ways; -1 founds
// the group. It returns the group. Fragments of a packet stay together: the hash leaves out the ports of all of them.
func joinGroup(fd, group int) (int, error) {
	how := unix.PACKET_FANOUT_HASH << 16
	if group < 0 {
		how |= unix.PACKET_FANOUT_FLAG_UNIQUEID << 16
	} else {
		how |= group
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT, how); err != nil {
		return 0, fmt.Errorf("a group of sockets: %w", err)
	}
	how, err := unix.GetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT)
	if err != nil {
		return 0, fmt.Errorf("a group of sockets: %w", err)
	}
	return how & 0xffff, nil
}

// filter attaches the filter of the options, or has it run here where the kernel does not take it.
func (p *port) filter(s *socket) error {
	snap := uint32(p.opt.SnapLen)
	keepAll := kernelProgram([]Instruction{{Op: opReturn, K: snap}}, snap, p.local)
	f := p.opt.Filter
	if f == nil {
		return attach(s.fd, keepAll)
	}
	err := attach(s.fd, kernelProgram(f.Program, snap, p.local))
	if err == nil || f.Keeps == nil {
		return err
	}
	if !s.filterHere && len(p.notes) == 0 {
		p.notes = append(p.notes, fmt.Sprintf("the kernel does not take the filter of %d instructions (%v): flowvet runs it itself", len(f.Program), errors.Unwrap(err)))
	}
	s.filterHere, s.keeps = true, f.Keeps
	return attach(s.fd, keepAll)
}

// The codes of instructions that are put before a program, or changed in it.
const (
	opLoad     = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	opLoadZero = unix.BPF_LD | unix.BPF_IMM
	opEqual    = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	opReturn   = unix.BPF_RET | unix.BPF_K

	packetType = 0xfffff004 // SKF_AD_OFF + SKF_AD_PKTTYPE: what the kernel knows of where a frame goes
)

// rejectAll keeps nothing. What a filter rejects is not counted.
var rejectAll = []unix.SockFilter{{Code: opReturn}}

// kernelProgram makes of a filter what is attached: one that keeps no more than snap bytes, and, on the loopback interface, sees only
// what comes: each packet is seen going as well.
func kernelProgram(program []Instruction, snap uint32, local bool) []unix.SockFilter {
	var code []unix.SockFilter
	if local {
		code = append(code,
			unix.SockFilter{Code: opLoad, K: packetType},
			unix.SockFilter{Code: opEqual, Jf: 1, K: unix.PACKET_OUTGOING},
			unix.SockFilter{Code: opReturn},
			unix.SockFilter{Code: opLoadZero},
		)
	}
	for _, i := range program {
		if i.Op == opReturn {
			i.K = min(i.K, snap)
		}
		code = append(code, unix.SockFilter{Code: i.Op, Jt: i.Jt, Jf: i.Jf, K: i.K})
	}
	return code
}

// attach makes a program the filter of a socket, in place of the one before.
func attach(fd int, code []unix.SockFilter) error {
	if len(code) > unix.BPF_MAXINSNS {
		return fmt.Errorf("a filter of %d instructions: %w", len(code), unix.E2BIG)
	}
	program := unix.SockFprog{Len: uint16(len(code)), Filter: unsafe.SliceData(code)}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program); err != nil {
		return fmt.Errorf("a filter of %d instructions: %w", len(code), err)
	}
	return nil
}

// again captures from the interface of another number, which has come in the place of the one that was deleted. It returns
// the sockets to read from there on: those there were, or new ones.
func (p *port) again(index int) ([]*socket, error) {
	if len(p.sockets) == 1 {
		return p.sockets, p.admit(p.sockets, index)
	}
	var sockets []*socket
	for range p.sockets {
		s, err := p.replacement()
		if err == nil {
			sockets = append(sockets, s)
			continue
		}
		for _, s := range sockets {
			err = errors.Join(err, s.close())
		}
		return nil, err
	}
	if err := p.admit(sockets, index); err != nil {
		for _, s := range sockets {
			err = errors.Join(err, s.close())
		}
		return nil, err
	}
	p.sockets = sockets
	return sockets, nil
}

// replacement returns a socket that is not bound yet: a new one, where that is allowed, or else a spare one.
func (p *port) replacement() (*socket, error) {
	fd, err := packetSocket()
	if last := len(p.spares) - 1; err != nil && last >= 0 {
		fd, err = p.spares[last], nil
		p.spares = p.spares[:last]
	}
	if err != nil {
		return nil, err
	}
	return p.prepare(fd)
}

// said returns what a person should know.
func (p *port) said() []string {
	notes := p.notes
	for _, s := range p.sockets {
		if s.clock.disbelieved.Load() {
			return append(notes[:len(notes):len(notes)], "the clock of the network card is wrong: the machine's is taken")
		}
	}
	return notes
}

// close gives everything back.
func (p *port) close() error {
	var err error
	for _, s := range p.sockets {
		err = errors.Join(err, s.close())
	}
	for _, fd := range p.spares {
		err = errors.Join(err, unix.Close(fd))
	}
	p.sockets, p.spares = nil, nil
	return errors.Join(err, p.watch.close())
}
