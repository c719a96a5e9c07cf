package match

import (
	"encoding/binary"
	"slices"

	"flowvet/catalog"
)

// lookalikes numbers what a permission on a port can tell apart of an end: a DNS client is to the rows of port 8100 what a mail
// server is. The million conversations between 5,000 machines of 61 classes on 343 rows' ports ask 126,000 different questions by
// the classes of their ends, and 8,300 by these numbers.
type lookalikes struct {
	of [][]uint32 // by class of port and of end: the number plus 1; 0: not known yet
}

// number returns the number of an end on a port.
func (x *lookalikes) number(j *judge, e *end, port uint16) uint32 {
	class := j.ports.class[port]
	if x.of == nil {
		x.of = make([][]uint32, len(j.ports.permissions))
	}
	if x.of[class] == nil {
		x.of[class] = make([]uint32, len(j.classes))
	}
	n := &x.of[class][e.class]
	if *n == 0 {
		label := j.aspect(binary.BigEndian.AppendUint16(nil, class), e, j.ports.permissions[class])
		*n = j.rulings.number(label) + 1
	}
	return *n - 1
}

// number returns the number of what a label stands for.
func (x *rulings) number(label []byte) uint32 {
	x.Lock()
	defer x.Unlock()
	n, known := x.labels[string(label)]
	if !known {
		n = uint32(len(x.labels))
		x.labels[string(label)] = n
	}
	return n
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
		fits := e.stranger // or could be given a role that does
		for _, column := range [][]catalog.Role{p.From, p.To} {
			for _, initiates := range []bool{true, false} {
				f := j.fits(e, column, initiates)
				fits = fits || f.kind != fitNone
				to = appendFit(to, f, column)
			}
		}
		if product, ok := j.cat.Product(p.Row.Product); ok && fits {
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
