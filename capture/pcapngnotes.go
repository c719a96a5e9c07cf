package capture

import (
	"bytes"
	"net/netip"
)

// Name is a name that a capture file says an address had. It comes from the file and is hostile; nothing is judged by it.
type Name struct {
	Addr netip.Addr
	Name string
}

// Comment limits: what a file says beside its packets is kept up to these, and counted beyond.
const (
	maxComments    = 100
	maxCommentSize = 1 << 10
	maxNames       = 4096
	maxNameSize    = 255      // of a name in the domain name system
	maxNotes       = 16 << 20 // bytes of text of one capture
	leastNote      = 16       // bytes of each text kept even then: a filter must never look like none
)

// notes are the texts of a file: what is kept of them, and how many there were.
type notes struct {
	comments  []string
	commented uint64
	names     []Name
	named     uint64
	size      int // bytes kept
}

// text keeps a text of the file.
func (n *notes) text(b []byte) string {
	if n.size+len(b) > maxNotes {
		b = b[:min(len(b), leastNote)]
	}
	n.size += len(b)
	return string(b)
}

// comment counts a comment, and keeps it if it is one of the first.
func (n *notes) comment(b []byte) {
	n.commented++
	if len(n.comments) < maxComments {
		n.comments = append(n.comments, n.text(b[:min(len(b), maxCommentSize)]))
	}
}

// name counts a name, and keeps it if it is one of the first.
func (n *notes) name(addr netip.Addr, name []byte) {
	n.named++
	if len(n.names) < maxNames {
		n.names = append(n.names, Name{addr, n.text(name[:min(len(name), maxNameSize)])})
	}
}

// comments notes the comments among a list of options. Unlike the options of an interface nothing depends on them: a list
// that breaks off is read up to there.
func (r *pcapngReader) comments(b []byte) {
	for len(b) >= 4 {
		code, length := r.u16(b[0:2]), int(r.u16(b[2:4]))
		b = b[4:]
		if code == optionEnd || length > len(b) {
			return
		}
		if code == optionComment {
			r.notes.comment(b[:length])
		}
		b = b[min((length+3)&^3, len(b)):]
	}
}

// Kinds of records in a name resolution block.
const (
	nameEnd  = 0
	nameIPv4 = 1
	nameIPv6 = 2
)

// nameBlock reads a name resolution block: addresses, each with one name or more.
func (r *pcapngReader) nameBlock(b []byte) {
	for len(b) >= 4 {
		kind, length := r.u16(b[0:2]), int(r.u16(b[2:4]))
		b = b[4:]
		if kind == nameEnd {
			r.comments(b)
			return
		}
		if length > len(b) {
			return
		}
		r.nameRecord(kind, b[:length])
		b = b[min((length+3)&^3, len(b)):]
	}
}

// nameRecord reads the names of one address, each ended by a zero.
func (r *pcapngReader) nameRecord(kind uint16, b []byte) {
	size := map[uint16]int{nameIPv4: 4, nameIPv6: 16}[kind]
	if size == 0 || len(b) < size {
		return
	}
	addr, _ := netip.AddrFromSlice(b[:size])
	for name := range bytes.SplitSeq(bytes.TrimSuffix(b[size:], []byte{0}), []byte{0}) {
		r.notes.name(addr, name)
	}
}
