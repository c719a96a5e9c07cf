package match

import (
	"encoding/binary"
	"slices"

	"flowvet/catalog"
)

// lookalikes numbers what a permission on a port can tell apart of an end: a DNS client is to the rows of port 8100 what a mail
// server is. The million conversations between 5,000 machines of 61 classes on 343 rows' ports ask 126,000 different questions by
// the classes of their ends, and 8,600 by these numbers.
type lookalikes struct {
	of     [][]uint32        // by class of port and of end: the number plus 1; 0: not known yet
	labels map[string]uint32 // numbers by what they stand for, class of port first
}

// number returns the number of an end on a port.
func (x *lookalikes) number(j *judge, e *end, port uint16) uint32 {
	class := j.ports.class[port]
	if x.of == nil {
		x.of, x.labels = make([][]uint32, len(j.ports.permissions)), map[string]uint32{}
	}
	if x.of[class] == nil {
		x.of[class] = make([]uint32, len(j.classes))
	}
	n := &x.of[class][e.class]
	if *n == 0 {
		label := j.aspect(binary.BigEndian.AppendUint16(nil, class), e, j.ports.permissions[class])
		if *n = x.labels[string(label)]; *n == 0 {
			*n = uint32(len(x.labels) + 1)
			x.labels[string(label)] = *n
		}
	}
	return *n - 1
}

// aspect appends all that a ruling under some permissions can depend on of an end, but for its being the other end's machine.
func (j *judge) aspect(to []byte, e *end, under []*catalog.Permission) []byte {
	for _, is := range []bool{e.vmware, e.group, e.stranger, e.inferred} {
		to = appendBool(to, is)
	}
	if e.group {
		to = e.addr.AppendTo(to)
	}
	for _, p := range under {
		to = appendFit(to, j.fits(e, p.From, true), p.From)
		to = appendFit(to, j.fits(e, p.From, false), p.From)
		to = appendFit(to, j.fits(e, p.To, true), p.To)
		to = appendFit(to, j.fits(e, p.To, false), p.To)
		if product, ok := j.cat.Product(p.Row.Product); ok {
			to = append(to, byte(j.carries(e, product)))
		}
		to = append(to, byte(j.atLeast(e, p.Row.SourceMin, p.Row.Source)), byte(j.atLeast(e, p.Row.TargetMin, p.Row.Target)))
		if p.Row.Relation == catalog.Remote {
			to = appendBool(to, e.machine != nil)
			if e.machine != nil {
				to = append(append(to, e.machine.Site...), 0)
			}
		}
	}
	return to
}

// appendFit appends how an end stands to the roles of a column.
func appendFit(to []byte, f fit, column []catalog.Role) []byte {
	return appendBool(append(to, byte(f.kind), byte(slices.Index(column, f.role)+1)), f.inferred)
}

func appendBool(to []byte, is bool) []byte {
	if is {
		return append(to, 1)
	}
	return append(to, 0)
}
