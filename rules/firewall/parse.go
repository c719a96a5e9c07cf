package firewall

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Load reads a file of rule sets. Errors are those of the file system and of [Parse].
func Load(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxFileSize+1))
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

// Parse reads rule sets; name appears in errors, each of which is one line with name and line.
func Parse(name string, data []byte) (*File, error) {
	p := &parser{name: name, data: data}
	switch {
	case len(data) > MaxFileSize:
		return nil, p.errorf(0, "is larger than %d MiB", MaxFileSize>>20)
	case !utf8.Valid(data):
		return nil, p.errorf(0, "is not UTF-8: save it as UTF-8")
	}
	p.data = bytes.TrimPrefix(data, []byte("\ufeff"))
	return p.file()
}

// parser reads one file.
type parser struct {
	name    string
	data    []byte
	decoder *json.Decoder
}

// errorf returns an error at an offset of the data.
func (p *parser) errorf(offset int64, format string, args ...any) error {
	line := 1 + bytes.Count(p.data[:min(offset, int64(len(p.data)))], []byte{'\n'})
	return fmt.Errorf("%s:%d: "+format, append([]any{p.name, line}, args...)...)
}

// fault returns what the decoder says with its place.
func (p *parser) fault(base int64, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return p.errorf(base+syntax.Offset, "is no JSON: %v", err)
	case errors.As(err, &kind):
		return p.errorf(base+kind.Offset, "%s: %s where %s is wanted", strconv.Quote(kind.Field), kind.Value, kind.Type)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return p.errorf(int64(len(p.data)), "ends too early: it is cut, or no JSON")
	}
	return p.errorf(base, "%s", strings.TrimPrefix(err.Error(), "json: "))
}

// file reads the keys of the file one after the other, so that each host is known by its line.
func (p *parser) file() (*File, error) {
	p.decoder = json.NewDecoder(bytes.NewReader(p.data))
	if err := p.delim('{'); err != nil {
		return nil, err
	}
	f := &File{}
	for p.decoder.More() {
		if err := p.key(f); err != nil {
			return nil, err
		}
	}
	if _, err := p.decoder.Token(); err != nil {
		return nil, p.fault(0, err)
	}
	end := p.decoder.InputOffset()
	switch {
	case len(bytes.TrimSpace(p.data[end:])) > 0:
		return nil, p.errorf(end, "goes on after its end")
	case f.Schema != Schema:
		return nil, p.errorf(0, "schema is %s: a file of firewall rule sets says %q", strconv.Quote(f.Schema), Schema)
	case len(f.Hosts) == 0:
		return nil, p.errorf(0, "holds no host")
	}
	return f, nil
}

// delim takes one bracket.
func (p *parser) delim(want json.Delim) error {
	at := p.decoder.InputOffset()
	token, err := p.decoder.Token()
	if err != nil {
		return p.fault(0, err)
	}
	if token != want {
		if text, ok := token.(string); ok {
			token = strconv.Quote(text)
		}
		return p.errorf(at, "%v where %v is wanted: a file of firewall rule sets is one JSON object with a list of hosts", token, want)
	}
	return nil
}

// key reads one key of the file and its value.
func (p *parser) key(f *File) error {
	token, err := p.decoder.Token()
	if err != nil {
		return p.fault(0, err)
	}
	at := p.decoder.InputOffset()
	switch token {
	case "schema":
		err = p.decoder.Decode(&f.Schema)
	case "source":
		err = p.decoder.Decode(&f.Source)
	case "hosts":
		return p.hosts(f)
	default:
		return p.errorf(at, "unknown key %q: schema, source and hosts are known", token)
	}
	if err != nil {
		return p.fault(0, err)
	}
	return nil
}

// hosts reads the list of hosts.
func (p *parser) hosts(f *File) error {
	if err := p.delim('['); err != nil {
		return err
	}
	lines := map[string]bool{}
	for p.decoder.More() {
		var raw json.RawMessage
		if err := p.decoder.Decode(&raw); err != nil {
			return p.fault(0, err)
		}
		at := p.decoder.InputOffset() - int64(len(raw))
		h, err := p.host(raw, at)
		switch {
		case err != nil:
			return err
		case lines[h.Name]:
			return p.errorf(at, "host %s is given twice", strconv.Quote(h.Name))
		}
		lines[h.Name] = true
		f.Hosts = append(f.Hosts, h)
	}
	return p.delim(']')
}

// host reads one host and holds it against the rules of the format.
func (p *parser) host(raw []byte, at int64) (Host, error) {
	var h Host
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&h); err != nil {
		return h, p.fault(at, err)
	}
	if h.Name == "" {
		return h, p.errorf(at, "a host has no name")
	}
	for _, policy := range []Policy{h.Incoming, h.Outgoing} {
		if policy != Blocked && policy != Open {
			return h, p.errorf(at, "host %s: incoming and outgoing are %q or %q: %q is neither", strconv.Quote(h.Name), Blocked, Open, policy)
		}
	}
	for i, a := range h.Addresses {
		h.Addresses[i] = a.Unmap().WithZone("")
	}
	for _, s := range h.RuleSets {
		if wrong := s.wrong(); wrong != "" {
			return h, p.errorf(at, "host %s, rule set %s: %s", strconv.Quote(h.Name), strconv.Quote(s.Key), wrong)
		}
	}
	return h, nil
}

// wrong says what is wrong with a rule set, or nothing.
func (s *RuleSet) wrong() string {
	if s.Key == "" {
		return "it has no key"
	}
	for _, r := range s.Rules {
		switch {
		case r.Direction != Inbound && r.Direction != Outbound:
			return fmt.Sprintf("direction %q: inbound or outbound", r.Direction)
		case r.Protocol == "":
			return "a rule has no protocol"
		case r.EndPort != 0 && r.EndPort < r.Port:
			return fmt.Sprintf("ports %d to %d: the last comes before the first", r.Port, r.EndPort)
		case r.PortType != "" && r.PortType != Src && r.PortType != Dst:
			return fmt.Sprintf("port_type %q: src or dst", r.PortType)
		}
	}
	return ""
}

// UnmarshalJSON reads addresses and networks. Host bits of a network are cut off, as the firewall does.
func (a *Allowed) UnmarshalJSON(data []byte) error {
	var texts []string
	if err := json.Unmarshal(data, &texts); err != nil {
		return err
	}
	if texts == nil {
		return nil
	}
	*a = make(Allowed, len(texts))
	for i, text := range texts {
		p, err := ParseNetwork(text)
		if err != nil {
			return fmt.Errorf("allowed: %w", err)
		}
		(*a)[i] = p
	}
	return nil
}

// ParseNetwork reads an address or a network with its length. An IPv4 address that is written as IPv6 becomes IPv4.
func ParseNetwork(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		addr = addr.Unmap().WithZone("")
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("%s is neither an address nor a network such as 10.20.9.0/24", strconv.Quote(text))
	}
	return p.Masked(), nil
}
