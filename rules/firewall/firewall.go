// Package firewall holds what the firewalls of hosts let through: the rule sets of ESX and ESXi, as vCenter tells them.
//
// # Format
//
// A file of rule sets is JSON in UTF-8, at most 64 MiB. Every key is known or an error.
//
//	{
//	  "schema": "flowvet-firewall/1",
//	  "source": "vcenter01",
//	  "hosts": [
//	    {
//	      "name": "esx01",
//	      "addresses": ["10.20.0.11", "10.20.1.11"],
//	      "incoming": "blocked",
//	      "outgoing": "blocked",
//	      "rule_sets": [
//	        {
//	          "key": "sshServer",
//	          "label": "SSH Server",
//	          "enabled": true,
//	          "allowed": ["10.20.9.0/24"],
//	          "rules": [{"direction": "inbound", "protocol": "tcp", "port": 22}]
//	        }
//	      ]
//	    }
//	  ]
//	}
//
// incoming and outgoing say what becomes of packets that no rule lets through: blocked or open. allowed lists the
// addresses and networks that a rule set is for, at the far end; left out, it is for any. A rule is of the far end's
// packets (inbound) or of the host's (outbound); port, or port to end_port, is theirs at the receiver, or with
// "port_type": "src" at the sender, as in rules that let answers in.
//
// # Promises
//
// [Parse] names the file, the line at which the host begins and what is wrong. A File that was parsed satisfies
// everything above; [File.Write] writes what Parse reads.
package firewall

import (
	"encoding/json"
	"io"
	"net/netip"
)

// Schema names the format and its version. A field may be added within version 1; none goes away or changes its meaning.
const Schema = "flowvet-firewall/1"

// MaxFileSize is the size in bytes above which a file is refused: 300 hosts with 60 rule sets each take about 6 MiB.
const MaxFileSize = 64 << 20

// File is what the firewalls of hosts let through.
type File struct {
	Schema string `json:"schema"`
	Source string `json:"source,omitempty"` // the vCenter it was read from
	Hosts  []Host `json:"hosts"`
}

// Host is the firewall of one host.
type Host struct {
	Name      string       `json:"name"`
	Addresses []netip.Addr `json:"addresses,omitempty"`
	Incoming  Policy       `json:"incoming"`
	Outgoing  Policy       `json:"outgoing"`
	RuleSets  []RuleSet    `json:"rule_sets"`
}

// Policy is what becomes of a packet that no rule lets through.
type Policy string

// The policies.
const (
	Blocked Policy = "blocked"
	Open    Policy = "open"
)

// RuleSet is rules that are switched on and off together.
type RuleSet struct {
	Key     string  `json:"key"`
	Label   string  `json:"label,omitempty"`
	Enabled bool    `json:"enabled"`
	Allowed Allowed `json:"allowed,omitzero"` // who is at the far end; nil: anybody
	Rules   []Rule  `json:"rules"`
}

// Allowed is a list of networks; an address is a network of its own. Nil is every address, an empty list none.
type Allowed []netip.Prefix

// MarshalJSON writes an address as such, a network with its length.
func (a Allowed) MarshalJSON() ([]byte, error) {
	texts := make([]string, len(a))
	for i, p := range a {
		texts[i] = p.String()
		if p.IsSingleIP() {
			texts[i] = p.Addr().String()
		}
	}
	return json.Marshal(texts)
}

// Direction is whose packets a rule is of.
type Direction string

// The directions.
const (
	Inbound  Direction = "inbound"  // the far end's
	Outbound Direction = "outbound" // the host's
)

// The protocols and port types that are told apart.
const (
	TCP = "tcp"
	UDP = "udp"
	Src = "src"
	Dst = "dst"
)

// Rule lets packets of one direction through.
type Rule struct {
	Direction Direction `json:"direction"`
	Protocol  string    `json:"protocol"`
	Port      uint16    `json:"port"`
	EndPort   uint16    `json:"end_port,omitempty"`  // 0: Port alone
	PortType  string    `json:"port_type,omitempty"` // Src or Dst; empty: Dst
}

// Last returns the last port of the rule.
func (r Rule) Last() uint16 { return max(r.Port, r.EndPort) }

// Opens reports whether the rule opens a service: its ports are the receiver's. One on the sender's ports lets the answers
// of a service through.
func (r Rule) Opens() bool { return r.PortType != Src }

// Write writes the file as [Parse] reads it. The error is the writer's.
func (f *File) Write(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(f)
}
