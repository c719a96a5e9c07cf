package export

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"flowvet/catalog"
)

// mudOf writes a MUD file of a device and reads it back, strictly.
func mudOf(t *testing.T, c *catalog.Catalog, device catalog.Role) mudFile {
	t.Helper()
	var b, again bytes.Buffer
	for _, w := range []*bytes.Buffer{&b, &again} {
		if err := MUD(w, c, c.Rows, Options{AsOf: asOf, Device: device, MUDURL: "https://mud.example.com/device.json"}); err != nil {
			t.Fatalf("%s: %v", device, err)
		}
	}
	if !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Errorf("%s: two times the same rows, and not the same bytes", device)
	}
	var file mudFile
	strict := json.NewDecoder(&b)
	strict.DisallowUnknownFields()
	if err := strict.Decode(&file); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestMUDFilesHaveTheStructureOfTheRFC holds the file of every role that has rows against RFC 8520, section 3, and RFC 8519.
func TestMUDFilesHaveTheStructureOfTheRFC(t *testing.T) {
	devices := 0
	for name, c := range sourcesOfRows(t) {
		for _, info := range c.Roles {
			if len(needsOf(c, c.Rows, info.Role)) == 0 {
				continue
			}
			devices++
			if err := holdsMUD(mudOf(t, c, info.Role)); err != nil {
				t.Errorf("%s, %s: %v", name, info.Role, err)
			}
		}
	}
	if devices < 60 {
		t.Errorf("%d devices", devices)
	}
}

// holdsMUD says what a file breaks.
func holdsMUD(f mudFile) error {
	m := f.MUD
	u, err := url.Parse(m.URL)
	_, when := time.Parse(time.RFC3339, m.LastUpdate)
	switch {
	case m.Version != 1, err != nil || u.Scheme != "https", when != nil, !m.IsSupported:
		return fmt.Errorf("a mandatory leaf: %+v", m)
	case m.CacheValidity < 1 || m.CacheValidity > 168:
		return fmt.Errorf("cache-validity %d is not 1..168 hours", m.CacheValidity)
	case len(m.SystemInfo) > 60:
		return fmt.Errorf("systeminfo is longer than 60: %q", m.SystemInfo)
	}
	named := slices.Concat(m.From.Lists.List, m.To.Lists.List)
	for _, acl := range f.ACLs.ACL {
		if !slices.Contains(named, mudName{acl.Name}) {
			return fmt.Errorf("no policy names %s", acl.Name)
		}
		if err := holdsACL(acl); err != nil {
			return fmt.Errorf("%s: %w", acl.Name, err)
		}
	}
	if len(named) != len(f.ACLs.ACL) {
		return fmt.Errorf("%d names of %d lists", len(named), len(f.ACLs.ACL))
	}
	return nil
}

func holdsACL(acl mudACL) error {
	if acl.Type != "ipv4-acl-type" && acl.Type != "ipv6-acl-type" {
		return fmt.Errorf("type %s", acl.Type)
	}
	names := map[string]bool{}
	for _, ace := range acl.ACEs.ACE {
		if names[ace.Name] || len(ace.Name) < 1 || len(ace.Name) > 64 {
			return fmt.Errorf("name %q", ace.Name)
		}
		names[ace.Name] = true
		if ace.Actions.Forwarding != "accept" {
			return fmt.Errorf("%s: forwarding %q", ace.Name, ace.Actions.Forwarding)
		}
		if err := holdsMatches(acl.Type, ace.Matches); err != nil {
			return fmt.Errorf("%s: %w", ace.Name, err)
		}
	}
	return nil
}

func holdsMatches(kind string, m mudMatches) error {
	ip, other := m.IPv4, m.IPv6
	if kind == "ipv6-acl-type" {
		ip, other = other, ip
	}
	l4, protocol := m.TCP, 6
	if m.UDP != nil {
		l4, protocol = m.UDP, 17
	}
	switch {
	case ip == nil || other != nil:
		return errors.New("another family than the list's")
	case l4 == nil || m.TCP != nil && m.UDP != nil || ip.Protocol != protocol:
		return fmt.Errorf("protocol %d does not fit", ip.Protocol)
	case m.TCP != nil && l4.Initiated != "from-device" && l4.Initiated != "to-device", m.UDP != nil && l4.Initiated != "":
		return fmt.Errorf("direction-initiated %q", l4.Initiated)
	case (l4.Source == nil) == (l4.Destination == nil):
		return errors.New("ports at both ends, or at none")
	case m.MUD == nil && ip.Destination4 == "" && ip.Destination6 == "":
		return errors.New("whoever it is")
	}
	if m.MUD != nil {
		if u, err := url.Parse(m.MUD.Controller); err != nil || !u.IsAbs() {
			return fmt.Errorf("controller %q is no URI", m.MUD.Controller)
		}
	}
	for text, is4 := range map[string]bool{ip.Destination4: true, ip.Destination6: false} {
		if p, err := netip.ParsePrefix(text); text != "" && (err != nil || p.Addr().Is4() != is4 || is4 != (kind == "ipv4-acl-type")) {
			return fmt.Errorf("network %q", text)
		}
	}
	for _, p := range []*mudPorts{l4.Source, l4.Destination} {
		if p != nil && !(p.Operator == "eq" && p.Port > 0 && p.Lower == 0 && p.Upper == 0) && !(p.Operator == "" && p.Port == 0 && 0 < p.Lower && p.Lower < p.Upper) {
			return fmt.Errorf("ports %+v", *p)
		}
	}
	return nil
}

// entry finds the only entry of a list that cites a row.
func entry(t *testing.T, f mudFile, list, row string) mudMatches {
	t.Helper()
	for _, acl := range f.ACLs.ACL {
		for _, ace := range acl.ACEs.ACE {
			if acl.Name == list && strings.HasSuffix(ace.Name, "-"+row) {
				return ace.Matches
			}
		}
	}
	t.Fatalf("no entry of %s in %s", row, list)
	return mudMatches{}
}

func TestAMUDFileLetsARowPassInBothDirections(t *testing.T) {
	f := mudOf(t, catalog.Default(), "esx-classic")
	port := &mudPorts{Operator: "eq", Port: 902}
	for _, tt := range []struct {
		what string
		got  mudMatches
		want mudMatches
	}{
		{
			"a heartbeat leaves",
			entry(t, f, "flowvet-v4fr", "R060"),
			mudMatches{MUD: &mudPeer{"urn:flowvet:role:vcenter-server"}, IPv4: &mudIP{Protocol: 17}, UDP: &mudL4{Destination: port}},
		},
		{
			"an answer to it comes in",
			entry(t, f, "flowvet-v6to", "R060"),
			mudMatches{MUD: &mudPeer{"urn:flowvet:role:vcenter-server"}, IPv6: &mudIP{Protocol: 17}, UDP: &mudL4{Source: port}},
		},
		{
			"vCenter's orders come in",
			entry(t, f, "flowvet-v4to", "R247"),
			mudMatches{
				MUD: &mudPeer{"urn:flowvet:role:vcenter-server"}, IPv4: &mudIP{Protocol: 6},
				TCP: &mudL4{Initiated: "to-device", Destination: &mudPorts{Operator: "eq", Port: 443}},
			},
		},
	} {
		got, _ := json.Marshal(tt.got)
		want, _ := json.Marshal(tt.want)
		if !bytes.Equal(got, want) {
			t.Errorf("%s: %s, want %s", tt.what, got, want)
		}
	}
}

func TestAMUDFileIsAboutOneDeviceAndSaysWhereItIs(t *testing.T) {
	for _, tt := range []struct {
		what string
		o    Options
		want string
	}{
		{"no device", Options{MUDURL: "https://x.example/"}, "name it with --role or --product"},
		{"no address", Options{Device: "esxi"}, "say it with --mud-url"},
		{"an address without TLS", Options{Device: "esxi", MUDURL: "http://x.example/"}, "is no https address"},
		{"a role of no row", Options{Device: "thin-client", MUDURL: "https://x.example/"}, "none of the rows concerns thin-client"},
	} {
		var missing OptionError
		err := MUD(&bytes.Buffer{}, catalog.Default(), catalog.Default().Rows[:5], tt.o)
		if !errors.As(err, &missing) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.what, err)
		}
	}
}
