package export

import (
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"flowvet/catalog"
	"flowvet/safejson"
)

// Rules of the MUD file (RFC 8520, with the access lists of RFC 8519)
//
//  1. One file is about one kind of device, as the RFC wants: a role. Its rows are those in which the role stands.
//  2. The other end is a controller class, urn:flowvet:role:ROLE, which the network's MUD manager maps to addresses: the
//     catalogue knows roles and no addresses. A multicast group, or the broadcast, is an address.
//  3. Each opening has an entry in both directions, for its packets and their answers. Of TCP the entry says who begins.

// The limits of RFC 8520: the hours for which a file is valid, and the length of systeminfo.
const (
	mudCacheHours  = 48
	mudSystemInfo  = 60
	mudFromDevice  = "from-device"
	mudToDevice    = "to-device"
	mudRolePrefix  = "urn:flowvet:role:"
	protocolTCP    = 6
	protocolUDP    = 17
	maxACEName     = 64
	mudFileVersion = 1
)

type mudFile struct {
	MUD  mudContainer `json:"ietf-mud:mud"`
	ACLs mudACLs      `json:"ietf-access-control-list:acls"`
}

type mudContainer struct {
	Version       int       `json:"mud-version"`
	URL           string    `json:"mud-url"`
	LastUpdate    string    `json:"last-update"`
	CacheValidity int       `json:"cache-validity"`
	IsSupported   bool      `json:"is-supported"`
	SystemInfo    string    `json:"systeminfo"`
	From          mudPolicy `json:"from-device-policy"`
	To            mudPolicy `json:"to-device-policy"`
}

type mudPolicy struct {
	Lists mudNames `json:"access-lists"`
}

type mudNames struct {
	List []mudName `json:"access-list"`
}

type mudName struct {
	Name string `json:"name"`
}

type mudACLs struct {
	ACL []mudACL `json:"acl"`
}

type mudACL struct {
	Name string  `json:"name"`
	Type string  `json:"type"`
	ACEs mudACEs `json:"aces"`
}

type mudACEs struct {
	ACE []mudACE `json:"ace"`
}

type mudACE struct {
	Name    string     `json:"name"`
	Matches mudMatches `json:"matches"`
	Actions mudActions `json:"actions"`
}

type mudActions struct {
	Forwarding string `json:"forwarding"`
}

type mudMatches struct {
	MUD  *mudPeer `json:"ietf-mud:mud,omitempty"`
	IPv4 *mudIP   `json:"ipv4,omitempty"`
	IPv6 *mudIP   `json:"ipv6,omitempty"`
	TCP  *mudL4   `json:"tcp,omitempty"`
	UDP  *mudL4   `json:"udp,omitempty"`
}

type mudPeer struct {
	Controller string `json:"controller"`
}

type mudIP struct {
	Protocol     int    `json:"protocol"`
	Destination4 string `json:"destination-ipv4-network,omitempty"`
	Destination6 string `json:"destination-ipv6-network,omitempty"`
}

type mudL4 struct {
	Initiated   string    `json:"ietf-mud:direction-initiated,omitempty"`
	Source      *mudPorts `json:"source-port,omitempty"`
	Destination *mudPorts `json:"destination-port,omitempty"`
}

// mudPorts is one port (operator and port) or a range.
type mudPorts struct {
	Lower    uint16 `json:"lower-port,omitempty"`
	Upper    uint16 `json:"upper-port,omitempty"`
	Operator string `json:"operator,omitempty"`
	Port     uint16 `json:"port,omitempty"`
}

// MUD writes what a device of the role Options.Device needs, as a manufacturer's usage description.
func MUD(w io.Writer, c *catalog.Catalog, rows []*catalog.Row, o Options) error {
	if o.Device == "" {
		return OptionError{"a MUD file is about one kind of device: name it with --role or --product"}
	}
	if err := checkMUDURL(o.MUDURL); err != nil {
		return err
	}
	list := needsOf(c, rows, o.Device)
	if len(list) == 0 {
		return OptionError{fmt.Sprintf("none of the rows concerns %s", o.Device)}
	}
	file := mudFile{MUD: mudContainer{
		Version: mudFileVersion, URL: o.MUDURL, LastUpdate: o.AsOf.UTC().Format(time.RFC3339), CacheValidity: mudCacheHours,
		IsSupported: true, SystemInfo: cut(systemInfo(o.Device, rows), mudSystemInfo),
	}}
	for _, family := range []int{4, 6} {
		for _, direction := range []string{mudFromDevice, mudToDevice} {
			acl := aclOf(list, family, direction)
			file.ACLs.ACL = append(file.ACLs.ACL, acl)
			policy := &file.MUD.From
			if direction == mudToDevice {
				policy = &file.MUD.To
			}
			policy.Lists.List = append(policy.Lists.List, mudName{acl.Name})
		}
	}
	return safejson.WriteIndented(w, file)
}

// checkMUDURL holds a MUD URL against RFC 8520, section 1.6: https, and no more than a query behind its path.
func checkMUDURL(text string) error {
	if text == "" {
		return OptionError{"a MUD file states where it is published: say it with --mud-url https://…"}
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.Fragment != "" || u.User != nil {
		return OptionError{fmt.Sprintf("--mud-url: %q is no https address", text)}
	}
	return nil
}

// systemInfo names a kind of device, and says whether all of it is the vendor's.
func systemInfo(device catalog.Role, rows []*catalog.Row) string {
	if slices.ContainsFunc(rows, func(r *catalog.Row) bool { return r.Origin.Unofficial }) {
		return "unofficial: " + string(device)
	}
	return string(device)
}

// cut shortens a text to n bytes of printable ASCII.
func cut(text string, n int) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
	return text[:min(len(text), n)]
}

// need is what a device needs of one kind of peer.
type need struct {
	row       string // the first that says so
	begins    bool   // the device does
	peer      catalog.Role
	group     netip.Addr // in place of the peer
	transport catalog.Transport
	ports     catalog.Ports
}

// needsOf returns what the rows in which a role stands need, each once.
func needsOf(c *catalog.Catalog, rows []*catalog.Row, device catalog.Role) []need {
	var list []need
	seen := map[need]bool{}
	plays := func(column []catalog.Role) bool {
		return slices.ContainsFunc(column, func(r catalog.Role) bool { return c.IsA(device, r) })
	}
	for _, r := range rows {
		if !r.OnWire {
			continue
		}
		for _, p := range c.Permissions(r) {
			var all []need
			if plays(p.From) {
				all = append(all, needsWith(p, true, p.To)...)
			}
			if plays(p.To) {
				all = append(all, needsWith(p, false, p.From)...)
			}
			for _, n := range all {
				if !seen[n] {
					seen[n] = true
					n.row = r.ID
					list = append(list, n)
				}
			}
		}
	}
	return list
}

// needsWith returns what a permission needs of the peers at its other end, and of the group that its row names.
func needsWith(p *catalog.Permission, begins bool, peers []catalog.Role) []need {
	var all []need
	for _, t := range transports(p.Transport) {
		for _, peer := range peers {
			all = append(all, need{begins: begins, peer: peer, transport: t, ports: p.Ports})
		}
		if p.Row.Cast.IsValid() {
			all = append(all, need{begins: begins, group: p.Row.Cast, transport: t, ports: p.Ports})
		}
	}
	return all
}

// aclOf returns the access list of one family and direction.
func aclOf(list []need, family int, direction string) mudACL {
	suffix := map[string]string{mudFromDevice: "fr", mudToDevice: "to"}[direction]
	acl := mudACL{Name: fmt.Sprintf("flowvet-v%d%s", family, suffix), Type: fmt.Sprintf("ipv%d-acl-type", family), ACEs: mudACEs{[]mudACE{}}}
	for _, n := range list {
		if n.group.IsValid() && (n.group.Is4() != (family == 4) || n.begins != (direction == mudFromDevice)) {
			continue // nobody answers from a group's address
		}
		name := fmt.Sprintf("%d-%s", len(acl.ACEs.ACE)+1, n.row)
		acl.ACEs.ACE = append(acl.ACEs.ACE, mudACE{cut(name, maxACEName), n.matches(family, direction), mudActions{"accept"}})
	}
	return acl
}

// matches returns what of the packets in a direction belongs to a need.
func (n need) matches(family int, direction string) mudMatches {
	ip := &mudIP{Protocol: protocolTCP}
	l4 := &mudL4{Destination: portsOf(n.ports)}
	if n.begins != (direction == mudFromDevice) { // answers
		l4 = &mudL4{Source: l4.Destination}
	}
	m := mudMatches{TCP: l4}
	if n.transport == catalog.UDP {
		ip.Protocol, m.TCP, m.UDP = protocolUDP, nil, l4
	} else if l4.Initiated = mudToDevice; n.begins {
		l4.Initiated = mudFromDevice
	}
	switch group := netip.PrefixFrom(n.group, n.group.BitLen()).String(); {
	case !n.group.IsValid():
		m.MUD = &mudPeer{mudRolePrefix + string(n.peer)}
	case n.group.Is4():
		ip.Destination4 = group
	default:
		ip.Destination6 = group
	}
	if family == 4 {
		m.IPv4 = ip
	} else {
		m.IPv6 = ip
	}
	return m
}

func portsOf(p catalog.Ports) *mudPorts {
	if p.Lo == p.Hi {
		return &mudPorts{Operator: "eq", Port: p.Lo}
	}
	return &mudPorts{Lower: p.Lo, Upper: p.Hi}
}
