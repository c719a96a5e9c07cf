package capture

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Exports listens for export datagrams of NetFlow 5, NetFlow 9 and IPFIX.
type Exports struct {
	name string
	conn *net.UDPConn
}

// exportsBuffer is what the system is asked to hold of datagrams that were not read yet: a second of 4,000 a second of 1 kB.
const exportsBuffer = 4 << 20

// ListenExports opens a UDP socket at HOST:PORT, of all addresses where the host is left out. HOST is an address: no name is
// resolved.
func ListenExports(address string) (*Exports, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("%q is no HOST:PORT, such as :4739", address)
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" {
		return nil, fmt.Errorf("%q: the host is no address: write it as 192.0.2.7:4739, or :4739 for all of this machine", address)
	}
	at, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, err
	}
	conn, err := net.ListenUDP("udp", at)
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(exportsBuffer) // the system may give less: what is lost shows in the sequence numbers
	return &Exports{name: address, conn: conn}, nil
}

// Addr returns the address that is listened at, with the port that was chosen where 0 was asked for.
func (l *Exports) Addr() netip.AddrPort { return l.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

// Close gives up the socket.
func (l *Exports) Close() error { return l.conn.Close() }

// Read takes what comes until the context is done: that is how listening ends, and no interruption. Of the options File,
// MaxFlows, Pool, Keep and Segments mean something.
func (l *Exports) Read(ctx context.Context, opt Options) (*Capture, error) {
	e := exports{gatherer: newGatherer(opt)}
	stop := context.AfterFunc(ctx, func() { _ = l.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	err := l.receive(ctx, &e)
	e.close()
	c := &Capture{Name: l.name, Format: formatNetFlow, Table: e.finish(), Digest: e.digest, file: opt.File}
	c.First, c.Last = e.interval()
	return c, err
}

// receive reads datagrams until the context is done, which is no error.
func (l *Exports) receive(ctx context.Context, e *exports) error {
	const largest = 1 << 16
	b := make([]byte, largest)
	for {
		n, from, err := l.conn.ReadFromUDPAddrPort(b)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // an ICMP error of something this socket never sent, or a shortage that passes
			time.Sleep(time.Millisecond)
			continue
		}
		e.datagram(from.Addr(), time.Now().UnixNano(), b[:n])
	}
}
