// Package filter compiles capture filters, the expressions of pcap-filter(7), to the instructions of the BSD packet
// filter: for the kernel to run while capturing, and to run here over the frames of a file. Nothing of libpcap is used.
//
// # The subset
//
//	expression = term { ("and" | "&&" | "or" | "||") (term | id) }      left to right: and, or bind alike
//	term       = primitive | ("not" | "!") term | "(" expression ")"
//	primitive  = [proto] [dir] [type] id                                 type left out: host
//	           | ("ip" | "ip6" | "ether") "proto" number-or-\name | "proto" number-or-\name
//	           | "ip" | "ip6" | "arp" | "rarp" | "tcp" | "udp" | "sctp" | "icmp" | "icmp6" | "igmp" | "pim" | "vrrp" | "ah" | "esp"
//	           | ["ether" | "ip6" | "ip"] "multicast" | ["ether"] "broadcast"
//	           | "vlan" [number] | "less" number | "greater" number
//	proto      = "ether" | "ip" | "ip6" | "arp" | "rarp" | "tcp" | "udp" | "sctp"
//	dir        = "src" | "dst" | "src or dst" | "src and dst"
//	type       = "host" | "net" | "port" | "portrange"
//	id         = address | network ["/" length | "mask" address] | number | number "-" number | MAC | "(" ids ")" | "not" id
//
// An id without qualifiers, after and or or, takes those of the primitive before it: "tcp port 80 or 443". Names are never
// resolved. What is outside the subset is a [SyntaxError] that says where and what to write instead; the output of
// tcpdump -ddd is the way round ([ParseDump]).
//
// # Meaning
//
// A filter keeps what libpcap 1.10 keeps, also where that surprises: "port 80" is TCP, UDP or SCTP, and never a later
// fragment; IPv6 extension headers are not walked, but for one fragment header in "tcp" and the like; "host" is also the
// sender or target of ARP; "vlan" moves everything to its right behind the tag, whether it stands in an or or in a not; a
// frame cut before a byte that is asked for is not kept, not even by not.
//
// Three things differ. On a link type without tags or MAC addresses, "vlan", "ether host", "broadcast" and "multicast" match
// nothing, where libpcap refuses the expression. A filter that can match nothing is no error. On BSD loopback the address
// families of all systems are known in either byte order.
package filter
