package metrics

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// connections is how many clients are served at a time; others wait.
const connections = 16

// Server answers for a page.
type Server struct {
	page     *Page
	listener net.Listener
	server   *http.Server
	hosts    []string // what a Host header may say, without the port
	port     string
	remote   bool // the address that was asked may stand there as well
}

// Listen binds an address and serves from then on. Unless remote is set the address must be a loopback one.
func Listen(address string, remote bool, page *Page) (*Server, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("%q: write HOST:PORT, such as 127.0.0.1:9477", address)
	}
	ip := net.ParseIP(host)
	if !remote && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("%s: not a loopback address: --metrics-remote lets others ask", address)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String()) // a TCP address has one
	s := &Server{page: page, listener: listener, hosts: []string{"127.0.0.1", "::1", "localhost", host}, port: port, remote: remote}
	s.server = &http.Server{
		Handler: s, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second,
		IdleTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10,
	}
	go func() { _ = s.server.Serve(&bounded{Listener: listener, room: make(chan struct{}, connections)}) }() // ends with Close
	return s, nil
}

// Addr is the address it listens on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close stops serving; an answer that is under way has a second.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return errors.Join(s.server.Shutdown(ctx), s.server.Close())
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Content-Security-Policy", "default-src 'none'")
	head.Set("Cache-Control", "no-store")
	switch {
	case !s.knows(r):
		http.Error(w, "unknown host", http.StatusForbidden)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		head.Set("Allow", "GET, HEAD")
		http.Error(w, "read only", http.StatusMethodNotAllowed)
	case r.URL.Path == "/metrics":
		head.Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = w.Write(s.page.text()) // a client that is gone is nobody's loss
	case r.URL.Path == "/healthz":
		s.healthz(w)
	default:
		http.NotFound(w, r)
	}
}

// healthz says whether the run is well.
func (s *Server) healthz(w http.ResponseWriter) {
	text, well := s.page.wellbeing()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if !well {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = fmt.Fprintln(w, text) // as above
}

// knows reports whether a Host header names this server, exactly.
func (s *Server) knows(r *http.Request) bool {
	name, port, err := net.SplitHostPort(r.Host)
	if err != nil || port != s.port {
		return false
	}
	if asked, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok && s.remote && name == asked.IP.String() {
		return true
	}
	return slices.Contains(s.hosts, name)
}

// bounded is a listener that has so many connections at a time.
type bounded struct {
	net.Listener
	room chan struct{}
}

// Accept implements net.Listener.
func (b *bounded) Accept() (net.Conn, error) {
	b.room <- struct{}{}
	c, err := b.Listener.Accept()
	if err != nil {
		<-b.room
		return nil, err
	}
	return &lease{Conn: c, room: b.room}, nil
}

// lease is a connection that makes room when it is closed.
type lease struct {
	net.Conn
	room chan struct{}
	once sync.Once
}

// Close implements net.Conn.
func (l *lease) Close() error {
	l.once.Do(func() { <-l.room })
	return l.Conn.Close()
}
