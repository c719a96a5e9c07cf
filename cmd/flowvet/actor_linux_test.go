package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"
)

// order is what a machine of a play is told, a line of JSON each. The machine answers with a line: done, once what it begins
// is under way, or what went wrong.
type order struct {
	// Do is
	//
	//	listen  take the datagrams that come to From
	//	beat    send a datagram of Bytes from From to To, at once and Every so often
	//	serve   accept connections at From, and answer whatever comes
	//	talk    open a connection from From to To, send Bytes at once and Every so often, and take the answers
	//	move    send Bytes from From to To by one connection that lasts for Every; done when all of it is there
	//	stop    end the beat, service or talk with the same From and To; its connections are reset
	Do       string
	From, To netip.AddrPort
	Every    time.Duration
	Bytes    int
}

// actor is a machine of a play while it runs: the process of its namespace.
type actor struct {
	sockets map[netip.AddrPort]*net.UDPConn
	running map[[2]netip.AddrPort]context.CancelFunc
}

// playMachine obeys the orders on standard input until it ends.
func playMachine() {
	a := &actor{sockets: map[netip.AddrPort]*net.UDPConn{}, running: map[[2]netip.AddrPort]context.CancelFunc{}}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var o order
		err := json.Unmarshal(lines.Bytes(), &o)
		if err == nil {
			err = a.obey(o)
		}
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println("done")
	}
}

func (a *actor) obey(o order) error {
	key := [2]netip.AddrPort{o.From, o.To}
	if o.Do == "stop" {
		if a.running[key] == nil {
			return fmt.Errorf("nothing runs from %s to %s", o.From, o.To)
		}
		a.running[key]()
		return nil
	}
	begin, known := map[string]func(context.Context, order) error{
		"listen": a.listen, "beat": a.beat, "serve": serve, "talk": talk, "move": move,
	}[o.Do]
	if !known {
		return fmt.Errorf("no such order: %q", o.Do)
	}
	ctx, stop := context.WithCancel(context.Background())
	a.running[key] = stop
	return begin(ctx, o)
}

// socket returns that of an address, opened with the first use.
func (a *actor) socket(from netip.AddrPort) (*net.UDPConn, error) {
	if s := a.sockets[from]; s != nil {
		return s, nil
	}
	s, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(from))
	if err == nil && from.Port() != 0 {
		a.sockets[from] = s
	}
	return s, err
}

func (a *actor) listen(_ context.Context, o order) error {
	s, err := a.socket(o.From)
	if err != nil {
		return err
	}
	go func() {
		for message := make([]byte, 2048); err == nil; {
			_, _, err = s.ReadFromUDPAddrPort(message)
		}
	}()
	return nil
}

// beat goes on where a datagram cannot be sent: that the cable is cut is no concern of a heartbeat.
func (a *actor) beat(ctx context.Context, o order) error {
	s, err := a.socket(o.From)
	if err != nil {
		return err
	}
	message := make([]byte, o.Bytes)
	go every(ctx, o.Every, func() error {
		_, _ = s.WriteToUDPAddrPort(message, o.To)
		return nil
	})
	return nil
}

// every calls f at once and each period until it fails or the context ends.
func every(ctx context.Context, period time.Duration, f func() error) {
	for tick := time.Tick(period); f() == nil; {
		select {
		case <-tick:
		case <-ctx.Done():
			return
		}
	}
}

func serve(ctx context.Context, o order) error {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(o.From))
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.AcceptTCP()
			if err != nil {
				return
			}
			context.AfterFunc(ctx, func() { reset(conn) })
			go answer(conn)
		}
	}()
	return nil
}

// reset ends a connection without a word to wait for.
func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

// answer answers what comes with 64 bytes.
func answer(conn *net.TCPConn) {
	defer conn.Close()
	message := make([]byte, 64<<10)
	for {
		if _, err := conn.Read(message); err != nil {
			return
		}
		if _, err := conn.Write(message[:64]); err != nil {
			return
		}
	}
}

func talk(ctx context.Context, o order) error {
	conn, err := connect(o)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { reset(conn) })
	message := make([]byte, o.Bytes)
	go every(ctx, o.Every, func() error {
		_, err := conn.Write(message)
		return err
	})
	return nil
}

// connect opens the connection of an order, whose answers are taken and forgotten.
func connect(o order) (*net.TCPConn, error) {
	conn, err := net.DialTCP("tcp", net.TCPAddrFromAddrPort(o.From), net.TCPAddrFromAddrPort(o.To))
	if err != nil {
		return nil, err
	}
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	return conn, nil
}

func move(_ context.Context, o order) error {
	const parts = 50
	conn, err := connect(o)
	if err != nil {
		return err
	}
	message := make([]byte, o.Bytes/parts)
	for range parts {
		if _, err := conn.Write(message); err != nil {
			return errors.Join(err, conn.Close())
		}
		time.Sleep(o.Every / parts)
	}
	return conn.Close()
}
