package openings

import (
	"io"
	"net/netip"
	"strings"
	"time"

	"flowvet/match"
	"flowvet/safejson"
)

// document is a comparison in JSON; docs/formats.md explains the fields.
type document struct {
	Schema    string        `json:"schema"`
	Version   string        `json:"flowvet"`
	Source    string        `json:"firewalls,omitempty"`
	Inventory string        `json:"inventory"`
	Captures  []string      `json:"captures"`
	Hosts     int           `json:"hosts"`
	InOrder   int           `json:"in_order"`
	Unknown   []string      `json:"hosts_not_in_inventory"`
	Silent    []string      `json:"hosts_not_in_file"`
	Findings  []jsonFinding `json:"findings"`
	Status    int           `json:"status"`
	StatusWhy string        `json:"status_why"`
}

type jsonFinding struct {
	Kind     string        `json:"kind"`
	Level    string        `json:"level"`
	Host     string        `json:"host"`
	Services []jsonService `json:"services"`
	RuleSets []string      `json:"rule_sets"`
	Peers    []string      `json:"peers,omitempty"`
	Rows     []string      `json:"rows"`
	Used     []jsonUse     `json:"used,omitempty"`
	Coverage string        `json:"coverage,omitempty"`
	Reason   *jsonReason   `json:"reason,omitempty"`
	Start    string        `json:"start,omitempty"`
	End      string        `json:"end,omitempty"`
}

type jsonService struct {
	Direction string `json:"direction"`
	Transport string `json:"transport"`
	Low       uint16 `json:"port_low"`
	High      uint16 `json:"port_high"`
}

type jsonUse struct {
	Initiator string `json:"initiator"`
	Responder string `json:"responder"`
	Packets   uint64 `json:"packets"`
	Certainty string `json:"certainty"`
	File      string `json:"file"`
	Frame     uint64 `json:"frame"`
}

type jsonReason struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy"`
}

// JSON writes a comparison as one document, a finding for each host. status is the run's, and why says it in words.
func JSON(w io.Writer, c *Comparison, version string, status int, why string) error {
	d := document{
		Schema: Schema, Version: version, Source: c.File.Source, Inventory: c.Result.Inventory.Name, Captures: []string{},
		Hosts: c.Hosts, InOrder: c.InOrder, Unknown: append([]string{}, c.Unknown...), Silent: append([]string{}, c.Silent...),
		Findings: make([]jsonFinding, len(c.Findings)), Status: status, StatusWhy: why,
	}
	for i := range c.Result.Captures {
		d.Captures = append(d.Captures, c.Result.Captures[i].Name)
	}
	for i := range c.Findings {
		d.Findings[i] = c.json(&c.Findings[i])
	}
	return safejson.WriteIndented(w, d)
}

func (c *Comparison) json(f *Finding) jsonFinding {
	out := jsonFinding{
		Kind: f.Kind.String(), Level: f.Level.String(), Host: f.Machine.Name, RuleSets: append([]string{}, f.RuleSets...),
		Peers: texts(f.Peers), Rows: ids(f), Services: make([]jsonService, len(f.Services)),
	}
	for i, s := range f.Services {
		out.Services[i] = jsonService{"in", strings.ToLower(s.Transport.String()), s.Ports.Lo, s.Ports.Hi}
		if s.Out {
			out.Services[i].Direction = "out"
		}
	}
	for _, u := range f.Used {
		out.Used = append(out.Used, jsonUse{
			u.Initiator.String(), u.Responder.String(), u.Sent.Packets + u.Received.Packets, u.Certainty.String(), c.captureOf(u), u.Evidence.Frame,
		})
	}
	if f.Sight != nil {
		out.sight(f.Sight)
	}
	return out
}

func (f *jsonFinding) sight(s *match.Sight) {
	f.Coverage = s.Coverage.String()
	f.Start, f.End = time.Unix(0, s.Start).UTC().Format(time.RFC3339Nano), time.Unix(0, s.End).UTC().Format(time.RFC3339Nano)
	if !s.Enough() {
		f.Reason = &jsonReason{s.Reason.Code, s.Reason.Detail, s.Reason.Remedy}
	}
}

func texts(all []netip.Prefix) []string {
	var out []string
	for _, p := range all {
		out = append(out, prefix(p))
	}
	return out
}
