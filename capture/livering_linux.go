package capture

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offsets in a block of a TPACKET_V3 ring (linux/if_packet.h): of its header, and of that of a frame.
const (
	blockStatus = 8
	blockFrames = 12
	blockFirst  = 16

	frameNext     = 0
	frameSec      = 4
	frameNanos    = 8
	frameCaptured = 12
	frameWire     = 16
	frameStatus   = 20
	frameMAC      = 24
	frameTag      = 32
	frameTPID     = 36

	statusUser       = 1 << 0 // TP_STATUS_USER: the block is ours
	statusTagged     = 1 << 4 // TP_STATUS_VLAN_VALID
	statusTPID       = 1 << 6 // TP_STATUS_VLAN_TPID_VALID
	statusHardware   = 1 << 31
	largestBlock     = 1 << 20
	largestRing      = 1<<32 - largestBlock
	leastBlocks      = 4
	nominalFrameSize = 2048 // the kernel wants one that divides a block; frames lie as close as they can
)

// framesAtOnce is how many frames are handed over together: so many that the table can look their flows up side by side.
const framesAtOnce = 64

// ring is the memory that a socket shares with the kernel: blocks, each of which belongs to one of them at a time.
type ring struct {
	memory []byte
	block  int // bytes
	next   int // offset of the block that the kernel fills next
}

// newRing gives the socket a ring of about so many bytes.
func newRing(fd, bytes int, timeout time.Duration) (*ring, error) {
	if bytes > largestRing {
		return nil, fmt.Errorf("a ring of %d bytes: %w", bytes, unix.ENOMEM)
	}
	block := largestBlock
	for block > unix.Getpagesize() && block*leastBlocks > bytes {
		block /= 2
	}
	blocks := max(bytes/block, leastBlocks)
	err := unix.SetsockoptTpacketReq3(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &unix.TpacketReq3{
		Block_size: uint32(block), Block_nr: uint32(blocks),
		Frame_size: nominalFrameSize, Frame_nr: uint32(block / nominalFrameSize * blocks),
		Retire_blk_tov: uint32(max(timeout.Milliseconds(), 1)),
	})
	if err != nil {
		return nil, fmt.Errorf("a ring of %d bytes: %w", block*blocks, err)
	}
	memory, err := unix.Mmap(fd, 0, block*blocks, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("a ring of %d bytes: %w", block*blocks, err)
	}
	return &ring{memory: memory, block: block}, nil
}

// status is the word by which a block changes hands.
func (r *ring) status() *uint32 { return (*uint32)(unsafe.Pointer(&r.memory[r.next+blockStatus])) }

// ready reports whether the next block is ours.
func (r *ring) ready() bool { return atomic.LoadUint32(r.status())&statusUser != 0 }

// release gives the block back to the kernel.
func (r *ring) release() {
	atomic.StoreUint32(r.status(), 0)
	r.next = (r.next + r.block) % len(r.memory)
}

// socket is one packet socket with its ring. One goroutine at a time reads it; counts may be asked by any.
type socket struct {
	fd         int
	ring       *ring
	link       Link
	clock      hardwareClock
	filterHere bool // the kernel did not take the filter
	keeps      func(data []byte, wire int, tag uint16, tagged bool) bool
	frames     [framesAtOnce]Frame

	counting          sync.Mutex
	received, dropped uint64
}

// next hands over the frames of the next block, or none if none comes within pollPatience. Their Data is valid until handle
// returns.
func (s *socket) next(handle func([]Frame)) error {
	if !s.ring.ready() {
		if err := s.wait(); err != nil {
			return err
		}
		if !s.ring.ready() {
			return nil
		}
	}
	s.walk(s.ring.memory[s.ring.next:s.ring.next+s.ring.block], handle)
	s.ring.release()
	return nil
}

// wait waits for a block. That the interface went down is not its business: the socket stays bound, and sees frames again
// when it is up.
func (s *socket) wait() error {
	fds := []unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, int(pollPatience.Milliseconds()))
	switch {
	case err == unix.EINTR || err == nil && n == 0:
		return nil
	case err != nil:
		return fmt.Errorf("waiting for packets: %w", err)
	case fds[0].Revents&unix.POLLNVAL != 0:
		return fmt.Errorf("waiting for packets: %w", unix.EBADF)
	case fds[0].Revents&unix.POLLERR == 0:
		return nil
	}
	code, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR) // takes the error away
	if err != nil {
		return fmt.Errorf("waiting for packets: %w", err)
	}
	if e := unix.Errno(code); e != 0 && e != unix.ENETDOWN && e != unix.ENODEV && e != unix.ENXIO {
		return fmt.Errorf("waiting for packets: %w", e)
	}
	return nil
}

// walk hands over the frames of a block.
func (s *socket) walk(block []byte, handle func([]Frame)) {
	left := int(word(block, blockFrames))
	at := int(word(block, blockFirst))
	for left > 0 {
		n := min(left, framesAtOnce)
		for i := range n {
			header := block[at:]
			s.frame(&s.frames[i], header)
			at += int(word(header, frameNext))
		}
		handle(s.frames[:n])
		left -= n
	}
}

// frame reads a frame. The tag that the kernel took out of it is put back, so that it is as it was on the wire.
func (s *socket) frame(f *Frame, header []byte) {
	status := word(header, frameStatus)
	start := int(binary.NativeEndian.Uint16(header[frameMAC:]))
	end := start + int(word(header, frameCaptured))
	*f = Frame{
		Nanos: int64(word(header, frameSec))*1e9 + int64(word(header, frameNanos)),
		Link:  s.link, WireLen: int(word(header, frameWire)), Data: header[start:end:end],
	}
	if status&statusHardware != 0 {
		f.Nanos = s.clock.check(s.fd, f.Nanos)
	}
	tag, tagged := uint16(word(header, frameTag)), status&statusTagged != 0
	if s.keeps != nil {
		f.rejected = !s.keeps(f.Data, f.WireLen, tag, tagged)
	}
	if tagged && len(f.Data) >= macAddresses {
		tpid := uint16(etherVLAN)
		if status&statusTPID != 0 {
			tpid = binary.NativeEndian.Uint16(header[frameTPID:])
		}
		f.Data = retag(header[start-vlanTag:end:end], tpid, tag)
		f.WireLen += vlanTag
	}
}

// retag puts a VLAN tag into the frame that begins four bytes into b, in place: the kernel leaves that much room before it.
func retag(b []byte, tpid, tag uint16) []byte {
	copy(b, b[vlanTag:vlanTag+macAddresses])
	binary.BigEndian.PutUint16(b[macAddresses:], tpid)
	binary.BigEndian.PutUint16(b[macAddresses+2:], tag)
	return b
}

// word reads 32 bits as the kernel wrote them.
func word(b []byte, at int) uint32 { return binary.NativeEndian.Uint32(b[at:]) }

// counts returns how many frames the socket was given, and how many of them found no room in the ring.
func (s *socket) counts() (received, dropped uint64) {
	s.counting.Lock()
	defer s.counting.Unlock()
	// Reading the statistics sets them to nought. A socket that cannot be asked has nothing new to say.
	if st, err := unix.GetsockoptTpacketStatsV3(s.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
		s.received += uint64(st.Packets)
		s.dropped += uint64(st.Drops)
	}
	return s.received, s.dropped
}

// stop lets no more frames in; those that came before can be read.
func (s *socket) stop() error { return attach(s.fd, rejectAll) }

// close gives the socket and its ring back.
func (s *socket) close() error {
	if s.ring != nil {
		if err := unix.Munmap(s.ring.memory); err != nil {
			return err
		}
		s.ring = nil
	}
	return unix.Close(s.fd)
}

// hardwareClock is the clock of a network card, which nobody need have set.
type hardwareClock struct{ disbelieved atomic.Bool }

// How far a card's clock may be ahead of the machine's, and how far behind: the frames of a ring that is read late are old.
const (
	clockAhead  = time.Second
	clockBehind = time.Minute
)

// check returns the time of a frame that the card stamped, or the machine's time where the card's clock cannot be right.
// Then the kernel is asked for its own stamps from there on.
func (c *hardwareClock) check(fd int, nanos int64) int64 {
	now := time.Now()
	if !c.disbelieved.Load() {
		if off := time.Duration(nanos - now.UnixNano()); off <= clockAhead && off >= -clockBehind {
			return nanos
		}
		c.disbelieved.Store(true)
		_ = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_TIMESTAMP, 0) // or else every frame comes here
	}
	return now.UnixNano()
}
