// Package capturetest writes packets as text: a story of a few lines becomes frames and a pcap or pcapng file, the same
// bytes every time. [Must] serves a test that wants a capture, [Parse] one that wants the frames or the mistake in them.
//
//	start 2015-10-21T10:00:00Z
//	host  E1 10.0.0.11
//	host  V  10.0.0.5
//	host  C  10.0.0.90
//
//	0         arp E1 > V reply
//	0..60/10  E1:* > V:902/udp 334                     # a heartbeat every 10 s, from a new port each time
//	0.5       C:50000 > V:443/tcp session 2000 5000    # 2,000 bytes up, 5,000 down
//	60        ping V > E1
//
// # Lines
//
// A line is one statement; # starts a comment, a word in double quotes may hold blanks. Names and addresses of hosts are
// declared before they are used; times are seconds since start, to the nanosecond.
//
//	start TIME                     time of second 0, RFC 3339; 2015-10-21T10:00:00Z where the line is left out
//	host NAME ADDRESS [mac=MAC]    IPv4 or IPv6; the MAC address is made from the address where none is given
//	file [pcap|pcapng] [...]       how [Story.Pcap] writes the frames, see Files
//	end T                          one more frame at second T, so that the capture lasts that long: the first host
//	                               asks by ARP for the second (by echo request where there is no ARP)
//	WHEN WHAT [OPTION...]          frames
//
// WHEN is a time (2.5) or a series, both ends included (0..60/10). What a series repeats is written once.
//
//	A:PORT > B:PORT/udp N [answer M]          one datagram with N bytes of payload; the answer of M bytes 2 ms later
//	A:PORT > B:PORT/tcp FLAGS [N]             one segment: letters of F S R P A U E C, N bytes of payload
//	A:PORT > B:PORT/tcp handshake             S, SA, A
//	A:PORT > B:PORT/tcp refused               S, RA
//	A:PORT > B:PORT/tcp open UP DOWN          a handshake, UP bytes from A, then DOWN bytes from B, acknowledged
//	A:PORT > B:PORT/tcp session UP DOWN       the same, closed by a FIN each way
//	A:PORT > B:PORT/tcp midstream UP DOWN     the same data without handshake and FIN
//	arp A > B [reply]                         A asks everybody for B, and B replies to A
//	garp A                                    A announces its own address (gratuitous ARP)
//	rarp A                                    the RARP frame that teaches switches where A's MAC address is now
//	ping A > B [lost]                         echo request, and the reply 1 ms later unless it is lost
//	icmp A > B KIND C:PORT > D:PORT/PROTO     an ICMP error that quotes the packet C sent to D: KIND is
//	                                          port-, host-, net-, protocol-unreachable, admin-prohibited, ttl-exceeded
//	ip A > B PROTOCOL N                       N bytes in another IP protocol (47 is GRE)
//	ether A TYPE N                            N bytes broadcast by A under another ethertype (0x88cc is LLDP)
//
// A host is a name or an address as it stands ([fe80::1] with a port takes brackets). The sender's port may be *: the next
// of that address's ephemeral ports, from 49152 up, another one for each repetition.
//
// TCP is cut into segments of at most 1,460 bytes, every second and the last of which is acknowledged. The steps of one
// line are 1 ms apart. Sequence and acknowledgement numbers follow the frames in the order of their times, the story's
// lines may stand in any order; a SYN that follows more than SYNs begins a connection of its own.
//
// # Options
//
//	vlan=10        802.1Q tag; vlan=20,10 is two of them, outer first (802.1ad outside)
//	ttl=63         time to live or hop limit, else 64
//	snap=64        the frame is cut to that many bytes, its length on the wire stays
//	pace=0.02      seconds between the steps of the line, else 0.001
//	mtu=9000       largest IP packet, else 1500: what is longer is fragmented
//	frag=first     of a fragmented packet only the first fragment; frag=later only the others
//	cast           the frame goes to the broadcast MAC address (255.255.255.255, x.x.x.255 and groups need no option)
//	dup            every frame twice, 10 µs apart; dup=routed one hop on: TTL one less, and in the next VLAN if in one
//	seq=7 ack=9    numbers of a single TCP segment, in place of those that follow from the story
//
// # Files
//
// A pcap file in microseconds, little endian, of Ethernet frames, is what a story without a file line makes.
//
//	link=sll                    ethernet, sll or sll2 (Linux cooked), raw (IP) or null (BSD loopback)
//	nanoseconds, big-endian     resolution and byte order
//	snaplen=96                  in the file's header, and every frame is cut to it
//	interface=vmnic0            pcapng: the interface's name
//	filter="tcp port 443"       pcapng: the filter it was captured with
//	drops=2/100                 pcapng: statistics, 2 of 100 received packets were dropped
//	interval=0..60              pcapng: statistics, capture began and ended at these times
//
// Ethernet frames are padded to 60 bytes as on the wire. Payload is zeros. Checksums and lengths are right. A story holds
// at most 100,000 packets and 64 MiB.
package capturetest
