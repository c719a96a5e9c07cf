package firewall

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// example is a file with everything in it.
func example() *File {
	return &File{Schema: Schema, Source: "vcenter01", Hosts: []Host{
		{
			Name: "esx01", Addresses: []netip.Addr{netip.MustParseAddr("10.20.0.11"), netip.MustParseAddr("fd00::11")},
			Incoming: Blocked, Outgoing: Open, RuleSets: []RuleSet{
				{Key: "sshServer", Label: "SSH Server", Enabled: true, Rules: []Rule{{Direction: Inbound, Protocol: TCP, Port: 22}}},
				{
					Key: "nfsClient", Enabled: true, Allowed: Allowed{netip.MustParsePrefix("10.20.3.200/32"), netip.MustParsePrefix("10.20.4.0/24")},
					Rules: []Rule{{Direction: Outbound, Protocol: TCP, Port: 0, EndPort: 65535, PortType: Dst}},
				},
				{Key: "dns", Allowed: Allowed{}, Rules: []Rule{{Direction: Inbound, Protocol: UDP, Port: 53, PortType: Src}}},
			},
		},
		{Name: "esx02", Incoming: Open, Outgoing: Open, RuleSets: []RuleSet{}},
	}}
}

func TestAFileReadsAsItWasWritten(t *testing.T) {
	var text bytes.Buffer
	if err := example().Write(&text); err != nil {
		t.Fatal(err)
	}
	got, err := Parse("firewall.json", text.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(example(), got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
		t.Error(diff)
	}
}

func TestABadFileIsOneLineWithItsPlace(t *testing.T) {
	host := func(text string) string {
		return "{\"schema\": \"flowvet-firewall/1\",\n\"hosts\": [\n" + text + "\n]}"
	}
	good := `{"name": "a", "incoming": "blocked", "outgoing": "open", "rule_sets": []}`
	set := func(text string) string {
		return host(`{"name": "a", "incoming": "blocked", "outgoing": "open", "rule_sets": [` + text + `]}`)
	}
	rule := func(text string) string { return set(`{"key": "k", "enabled": true, "rules": [{` + text + `}]}`) }
	for _, tt := range []struct {
		name, text, says string
	}{
		{"nothing", "", "f:1: ends too early"},
		{"a list", "[]", "f:1: [ where { is wanted"},
		{"a string of two lines", `"\n"`, `f:1: "\n" where { is wanted`},
		{"no JSON", "{\n\"schema\": x}", "f:2: is no JSON"},
		{"cut", host(good)[:90], "f:3: ends too early"},
		{"something behind it", host(good) + "\n{}", "f:4: goes on after its end"},
		{"another schema", "{\"schema\": \"flowvet-report/1\", \"hosts\": []}", "f:1: schema is \"flowvet-report/1\""},
		{"no host", "{\"schema\": \"flowvet-firewall/1\", \"hosts\": []}", "f:1: holds no host"},
		{"a key of its own", "{\"schema\": \"flowvet-firewall/1\",\n\"host\": []}", "f:2: unknown key \"host\""},
		{"a host's key of its own", host(`{"nam": "a"}`), "f:3: unknown field \"nam\""},
		{"a number for a name", host(`{"name": 1}`), "f:3: \"name\": number where string is wanted"},
		{"no name", host(`{}`), "f:3: a host has no name"},
		{"a name twice", host(good + ",\n" + good), "f:4: host \"a\" is given twice"},
		{"no policy", host(`{"name": "a", "incoming": "blocked"}`), "f:3: host \"a\": incoming and outgoing are"},
		{"no address", host(`{"name": "a", "addresses": ["x"]}`), "f:3: ParseAddr"},
		{"a rule set without key", set(`{"rules": []}`), "it has no key"},
		{"a network that is none", set(`{"key": "k", "allowed": ["10.0.0.0/33"]}`), "f:3: allowed: \"10.0.0.0/33\" is neither an address nor a network"},
		{"a direction that is none", rule(`"direction": "in", "protocol": "tcp", "port": 1`), "rule set \"k\": direction \"in\""},
		{"ports that run backwards", rule(`"direction": "inbound", "protocol": "tcp", "port": 9, "end_port": 8`), "ports 9 to 8"},
		{"a port that is none", rule(`"direction": "inbound", "protocol": "tcp", "port": 65536`), "number 65536 where uint16 is wanted"},
		{"no protocol", rule(`"direction": "inbound", "port": 1`), "has no protocol"},
		{"a port type that is none", rule(`"direction": "inbound", "protocol": "tcp", "port": 1, "port_type": "both"`), "port_type \"both\""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("f", []byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want %s", err, tt.says)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	var text bytes.Buffer
	if err := example().Write(&text); err != nil {
		f.Fatal(err)
	}
	f.Add(text.Bytes())
	f.Add([]byte(`{"schema": "flowvet-firewall/1", "hosts": [{"name": "a", "incoming": "open", "outgoing": "open", "rule_sets": null}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse("f", data)
		if err != nil {
			if strings.Count(err.Error(), "\n") > 0 {
				t.Errorf("an error of several lines: %q", err)
			}
			return
		}
		var first, second bytes.Buffer
		if err := file.Write(&first); err != nil {
			t.Fatal(err)
		}
		again, err := Parse("f", first.Bytes())
		if err != nil {
			t.Fatalf("what was written is not read: %v\n%s", err, &first)
		}
		if err := again.Write(&second); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("%v: written twice\n%s\n%s", err, &first, &second)
		}
	})
}
