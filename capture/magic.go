package capture

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// The formats that can be read, as Capture.Format says them.
const (
	formatPcap   = "pcap"
	formatPcapng = "pcapng"
)

// FormatFlows is the format of a flows file: of an input, and of a capture that stands for one that was refused.
const FormatFlows = "flows"

// kind is what the beginning of a file says it is.
type kind struct {
	format      string // pcap or pcapng; empty: no capture that can be read
	compression string // gzip, zstd or xz; without a format: what is inside has to be looked at
	reason      string // why it is none
	hint        string // what to do about it; may be empty
	known       bool   // the first headSize bytes are enough to say so
}

// holding is the kind of a compressed file that holds one of another kind.
func (k kind) holding(inner kind) kind {
	whole := kind{format: inner.format, compression: k.compression, known: inner.known, hint: inner.hint}
	switch {
	case inner.format != "":
	case inner.compression != "":
		whole.reason, whole.hint = fmt.Sprintf("%s in %s", inner.compression, k.compression), "decompress it once"
	case inner.reason == reasonEmpty:
		whole.reason = k.compression + "-compressed: nothing in it can be read"
	case inner.reason == reasonText:
		whole.reason = k.compression + "-compressed text: not a capture"
	default:
		whole.reason = k.compression + "-compressed: " + inner.reason
	}
	return whole
}

const (
	reasonEmpty = "empty"
	reasonText  = "not a capture: plain text"
)

// Bytes looked at: headSize tell a capture, headSizeMax what else it may be.
const (
	headSize    = pcapHeader
	headSizeMax = 512
)

// signature is what another kind of file begins with.
type signature struct {
	magic        string
	reason, hint string
}

// signatures returns the kinds of file that are named when given in place of a capture.
func signatures() []signature {
	const notRead = "not a capture that can be read: "
	const convert = "convert it first (editcap -F pcap)"
	const decompress = "-compressed"
	return []signature{
		{"BZh", "bzip2" + decompress, "decompress it first (bunzip2)"},
		{"\x04\x22\x4d\x18", "lz4" + decompress, "decompress it first (unlz4)"},
		{"\x1f\x9d", "compress" + decompress, "decompress it first (uncompress)"},
		{"PK\x03\x04", "a zip archive", "unpack it first (unzip)"},
		{"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first (7z x)"},
		{"\xa1\xb2\xcd\x34", notRead + "modified pcap (magic a1b2cd34)", convert},
		{"\x34\xcd\xb2\xa1", notRead + "modified pcap (magic a1b2cd34)", convert},
		{"snoop\x00\x00\x00", notRead + "snoop", convert},
		{"btsnoop\x00", "not a network capture: Bluetooth snoop", ""},
		{"RTSS", notRead + "Network Monitor 1", convert},
		{"GMBU", notRead + "Network Monitor 2", convert},
	}
}

// compressions returns what is decompressed on the way, by what it begins with. A frame of zstd may be one to be skipped.
func compressions() map[string]string {
	return map[string]string{"\x1f\x8b": compressionGzip, "\x28\xb5\x2f\xfd": compressionZstd, xzMagic: compressionXz}
}

// recognise says what a file is that begins with head. complete means that there is no more of it.
func recognise(head []byte, complete bool) kind {
	if len(head) == 0 {
		return kind{reason: reasonEmpty, known: true}
	}
	if k := recogniseCapture(head); k.known {
		return k
	}
	if k := recogniseFlows(head); k.known {
		return k
	}
	if k := recogniseRecords(head); k.known || k.format != "" {
		return k
	}
	for magic, compression := range compressions() {
		if bytes.HasPrefix(head, []byte(magic)) {
			return kind{compression: compression, known: true}
		}
	}
	for _, s := range signatures() {
		if bytes.HasPrefix(head, []byte(s.magic)) {
			return kind{reason: s.reason, hint: s.hint, known: true}
		}
	}
	switch {
	case isText(head, complete):
		return kind{reason: reasonText}
	case isERF(head):
		return kind{reason: "not a capture that can be read: ERF", hint: "convert it first (editcap -F pcap)"}
	}
	return kind{reason: fmt.Sprintf("not a capture: begins with bytes %x", head[:min(len(head), 8)])}
}

// recogniseCapture knows pcap and pcapng, also from the first bytes of one that was cut right there.
func recogniseCapture(head []byte) kind {
	if len(head) < 4 {
		for _, magic := range []uint32{magicMicros, magicNanos, magicMicrosSwapped, magicNanosSwapped, blockSection} {
			format := formatPcap
			if magic == blockSection {
				format = formatPcapng
			}
			whole := binary.BigEndian.AppendUint32(nil, magic)
			if bytes.HasPrefix(whole, head) && string(head) != "\n" { // an empty line is text
				return kind{format: format, known: true}
			}
		}
		return kind{}
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch binary.BigEndian.Uint32(head) {
	case blockSection:
		return kind{format: formatPcapng, known: true}
	case magicMicros, magicNanos:
		order = binary.BigEndian
	case magicMicrosSwapped, magicNanosSwapped:
	default:
		return kind{}
	}
	if len(head) >= 8 {
		if major, minor := order.Uint16(head[4:6]), order.Uint16(head[6:8]); major != 2 || minor > 4 {
			return kind{
				reason: fmt.Sprintf("not a capture that can be read: pcap version %d.%d (magic %x)", major, minor, head[:4]),
				hint:   "versions 2.0 to 2.4 can",
				known:  true,
			}
		}
	}
	return kind{format: formatPcap, known: true}
}

// isText reports whether head looks like text in ASCII, UTF-8 or UTF-16 with its mark.
func isText(head []byte, complete bool) bool {
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) {
		return true
	}
	for b := head; len(b) > 0; {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size == 1 {
			return !complete && !utf8.FullRune(b)
		}
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != '\f' && r != 0x1b {
			return false
		}
		b = b[size:]
	}
	return true
}

// isERF guesses: the format has no magic. Its records begin with a time (little-endian, the seconds in the upper half), a
// type, and the record's length.
func isERF(head []byte) bool {
	const header = 16
	if len(head) < header {
		return false
	}
	seconds := binary.LittleEndian.Uint32(head[4:8])
	const year2000, year2100 = 946684800, 4102444800
	recordType := head[8] & 0x7f
	length := binary.BigEndian.Uint16(head[10:12])
	wire := binary.BigEndian.Uint16(head[14:16])
	return seconds > year2000 && seconds < year2100 && recordType >= 1 && recordType <= 48 && length >= header && wire > 0
}

// recogniseRecords knows logs of flow records by how their first line begins. A Zeek log in tab-separated values says in its
// header which log it is; other lines are JSON objects with the fields that only such a log has.
func recogniseRecords(head []byte) kind {
	first, _, _ := bytes.Cut(head, []byte("\n"))
	switch {
	case bytes.HasPrefix(head, []byte("#separator ")):
		_, path, _ := bytes.Cut(head, []byte("\n#path"))
		path, _, whole := bytes.Cut(path, []byte("\n"))
		if name := bytes.TrimSpace(path); whole && string(name) != "conn" {
			return kind{reason: fmt.Sprintf("a log of Zeek's, of %.20q", name), hint: "conn.log is the one that tells of flows", known: true}
		}
		return kind{format: formatZeek, known: whole}
	case len(first) == 0 || first[0] != '{':
	case bytes.Contains(first, []byte(`"event_type"`)) && bytes.Contains(first, []byte(`"timestamp"`)):
		return kind{format: formatEVE, known: true}
	case bytes.Contains(first, []byte(`"id.orig_h"`)) && bytes.Contains(first, []byte(`"proto"`)):
		return kind{format: formatZeek, known: true}
	}
	return kind{}
}
