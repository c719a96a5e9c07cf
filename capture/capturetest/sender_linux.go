package capturetest

import (
	"fmt"
	"net"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sender sends frames out of an interface, many with one system call (sendmmsg(2)), and past the queue of the interface
// (PACKET_QDISC_BYPASS): what does not go out is not counted as sent. It needs the right CAP_NET_RAW.
type Sender struct {
	fd       int
	sent     uint64
	messages [sendBatch]outgoing
	vectors  [sendBatch]unix.Iovec
}

// sendBatch is how many frames are sent with one call.
const sendBatch = 64

// outgoing is struct mmsghdr, whose last words say how much of the frame was sent: all.
type outgoing struct {
	header unix.Msghdr
	_      [2]uint32
}

// NewSender opens an interface to send out of.
func NewSender(name string) (*Sender, error) {
	link, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: a packet socket: %w", name, err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: link.Index}); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("%s: past its queue: %w", name, err)
	}
	s := &Sender{fd: fd}
	for i := range s.messages {
		s.messages[i].header.Iov = &s.vectors[i]
		s.messages[i].header.SetIovlen(1)
	}
	return s, nil
}

// Sent returns how many frames went out.
func (s *Sender) Sent() uint64 { return s.sent }

// Close gives the socket back.
func (s *Sender) Close() error { return unix.Close(s.fd) }

// Send sends n frames, made by frame from their numbers, at that many a second; 0: as fast as it can. What frame returns must
// stay as it is for the 63 calls after it.
func (s *Sender) Send(n, rate int, frame func(i int) []byte) error {
	began := time.Now()
	for at := 0; at < n; {
		batch := min(sendBatch, n-at)
		for i := range batch {
			b := frame(at + i)
			s.vectors[i].Base = unsafe.SliceData(b)
			s.vectors[i].SetLen(len(b))
		}
		done, _, e := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.messages)), uintptr(batch), 0, 0, 0)
		if e == unix.ENOBUFS || e == unix.EINTR || e == unix.EAGAIN {
			continue
		}
		if e != 0 {
			return fmt.Errorf("sending: %w", e)
		}
		at += int(done)
		s.sent += uint64(done)
		if rate > 0 {
			time.Sleep(time.Until(began.Add(time.Duration(at) * time.Second / time.Duration(rate))))
		}
	}
	return nil
}
