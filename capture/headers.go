package capture

// HeaderLen returns how many of the captured bytes of f are headers, from the link's to TCP's or UDP's, options included:
// the rest is payload and padding. f is the frame that p was decoded from, with Kept for an answer.
func (p *Packet) HeaderLen(f *Frame) int {
	// p.transport is cut out of f.Data and ends before it: only its capacity says where it begins.
	begins := cap(f.Data) - cap(p.transport)
	header := udpHeader
	if p.Proto == TCP {
		header = tcpHeader
		if len(p.transport) > tcpFlags {
			header = max(header, int(p.transport[12]>>4)*4)
		}
	}
	return begins + min(header, len(p.transport))
}
