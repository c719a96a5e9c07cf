//go:build !linux

package capture

import (
	"errors"
	"time"
)

// errNotHere is what capturing says where it is not possible.
var errNotHere = errors.New("flowvet does not capture on this system: check what another program captured")

// port is what capturing from an interface has open.
type port struct {
	link    Link
	index   int
	sockets []*socket
	watch   linkWatch
}

func openPort(*LiveOptions) (*port, error) { return nil, errNotHere }

func (p *port) again(int) ([]*socket, error) { return nil, errNotHere }
func (p *port) said() []string               { return nil }
func (p *port) close() error                 { return nil }

// socket is one source of frames.
type socket struct{ filterHere bool }

func (s *socket) next(func([]Frame)) error           { return errNotHere }
func (s *socket) counts() (received, dropped uint64) { return 0, 0 }
func (s *socket) stop() error                        { return nil }
func (s *socket) close() error                       { return nil }

// linkStatus is what an interface is doing.
type linkStatus struct {
	Device
	lost uint64
}

// linkWatch hears of changes of one interface.
type linkWatch struct{}

func (linkWatch) wait(time.Duration) (did []linkStatus, some bool) { return nil, false }
func (linkWatch) query() (linkStatus, error)                       { return linkStatus{}, errNotHere }

// Interfaces lists the interfaces of this machine.
func Interfaces() ([]Device, error) { return nil, errNotHere }
