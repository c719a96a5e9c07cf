package flowrecord

import (
	"errors"
	"net/netip"

	"github.com/netsampler/goflow2/v2/decoders/netflow"
)

// Bounds of what is remembered of exporters: anybody can send datagrams under any address.
const (
	maxExporters     = 1024
	maxTemplates     = 256     // of one exporter
	maxFields        = 1 << 18 // of all templates of all exporters: 3 MiB
	exporterIdle     = 30 * 60 * 1e9
	maxTemplateExtra = 4 // fields beyond one for each byte of a record
)

// exporterKey is what templates and sequence numbers belong to (RFC 7011, RFC 3954).
type exporterKey struct {
	from    netip.Addr
	version uint16
	domain  uint32
}

// exporter is what is remembered of one.
type exporter struct {
	templates map[uint16]any // netflow.TemplateRecord and the two kinds of options templates
	fields    int
	heard     int64  // nanoseconds since 1970 UTC
	last      uint32 // sequence number of the last datagram
	next      uint32 // that expected of the next one
	counted   bool   // both are known
	sampled   bool
	boot      int64 // when it started, nanoseconds since 1970 UTC; 0: not told
}

// exporters remembers exporters, at most maxExporters. Whoever was silent for half an hour, in which templates are sent again,
// makes room for a new one; else there is none.
type exporters struct {
	known   map[exporterKey]*exporter
	fields  int
	refused uint64 // templates that had no room or could not be used
}

// at returns what is remembered of an exporter; nil where there is no room for it.
func (e *exporters) at(k exporterKey, now int64) *exporter {
	x := e.known[k]
	if x == nil {
		if len(e.known) >= maxExporters && !e.makeRoom(now) {
			return nil
		}
		if e.known == nil {
			e.known = map[exporterKey]*exporter{}
		}
		x = &exporter{templates: map[uint16]any{}}
		e.known[k] = x
	}
	x.heard = max(x.heard, now)
	return x
}

// makeRoom forgets those that were silent for too long.
func (e *exporters) makeRoom(now int64) bool {
	for k, x := range e.known {
		if now-x.heard > exporterIdle {
			e.fields -= x.fields
			delete(e.known, k)
		}
	}
	return len(e.known) < maxExporters
}

// store is the templates of one exporter as the decoder wants them. It refuses what would make the decoder loop or allocate
// without measure: a record of no bytes, and many more fields than bytes.
type store struct {
	all *exporters
	of  *exporter // nil: there was no room for it
}

var errNoSuchTemplate = errors.New("no such template")

// GetTemplate implements netflow.NetFlowTemplateSystem.
func (s store) GetTemplate(_ uint16, _ uint32, id uint16) (any, error) {
	if s.of != nil {
		if t, ok := s.of.templates[id]; ok {
			return t, nil
		}
	}
	return nil, netflow.ErrorTemplateNotFound
}

// AddTemplate implements netflow.NetFlowTemplateSystem. What is refused is only counted: the sets behind it may be good.
func (s store) AddTemplate(_ uint16, _ uint32, id uint16, template any) error {
	fields, fixed, least := measure(template)
	if s.of == nil {
		s.all.refused++
		return nil
	}
	s.forget(id)
	switch {
	case fields == 0: // withdrawn (RFC 7011, 8.1)
	case fixed == 0, fields > least+maxTemplateExtra, len(s.of.templates) >= maxTemplates, s.all.fields+fields > maxFields:
		s.all.refused++
	default:
		s.of.templates[id] = template
		s.of.fields += fields
		s.all.fields += fields
	}
	return nil
}

// forget removes a template.
func (s store) forget(id uint16) {
	if t, ok := s.of.templates[id]; ok {
		fields, _, _ := measure(t)
		s.of.fields -= fields
		s.all.fields -= fields
		delete(s.of.templates, id)
	}
}

// RemoveTemplate implements netflow.NetFlowTemplateSystem.
func (s store) RemoveTemplate(version uint16, domain uint32, id uint16) (any, error) {
	t, err := s.GetTemplate(version, domain, id)
	if err != nil {
		return nil, errNoSuchTemplate
	}
	s.forget(id)
	return t, nil
}

// GetTemplates implements netflow.NetFlowTemplateSystem; nobody asks for all.
func (s store) GetTemplates() netflow.FlowBaseTemplateSet { return nil }

// measure returns how many fields a template has, the bytes of those of fixed length, and the least number of bytes of a record: a
// field of variable length has a byte at least, which says how long it is. The decoder takes records as long as there are as
// many bytes as the fixed fields have.
func measure(template any) (fields, fixed, least int) {
	add := func(list []netflow.Field) {
		fields += len(list)
		for _, f := range list {
			if f.Length == 0xffff {
				least++
				continue
			}
			fixed += int(f.Length)
			least += int(f.Length)
		}
	}
	switch t := template.(type) {
	case netflow.TemplateRecord:
		add(t.Fields)
	case netflow.IPFIXOptionsTemplateRecord:
		add(t.Scopes)
		add(t.Options)
	case netflow.NFv9OptionsTemplateRecord:
		add(t.Scopes)
		add(t.Options)
	}
	return fields, fixed, least
}
