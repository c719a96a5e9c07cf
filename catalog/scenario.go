package catalog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Scenario is the evidence that an operation leaves on the wire when all goes well: what must be seen, what may be, and
// what must not. A Scenario never changes once made.
type Scenario struct {
	Name       string // what --scenario is given
	Title      string // the operation in a few words
	Versions   string // of the products, in words
	Event      Event  // what of the traffic tells when it ran and between whom
	Lead       Limit  // how long before and after the operation what belongs to it may be seen
	Variables  []*Variable
	Lines      []*Line
	CannotShow []string // what no header can show, in words
	File       string   // where it is written
}

// Event is what the traffic itself shows of an operation; the empty Event is none.
type Event string

// The events that a scenario can begin with.
const (
	EventVMotion     Event = "vmotion"      // a machine's memory crosses over between two hosts
	EventHAFailure   Event = "ha-failure"   // a host falls silent for good, or for long
	EventHAIsolation Event = "ha-isolation" // a host's management network falls silent, the host does not
	EventFTPair      Event = "ft-pair"      // the log of a protected pair stops
)

// Events returns the events that a scenario can begin with.
func Events() []Event { return []Event{EventVMotion, EventHAFailure, EventHAIsolation, EventFTPair} }

// Variable stands for a machine, or for several, until the user or the traffic says for which.
type Variable struct {
	Name   string
	Roles  []Role   // any of
	Means  string   // in words
	Many   bool     // every machine of the roles, each by itself
	Except []string // variables whose machines it does not stand for
	Line   int      // of the file
}

// Phase is a part of the time of a scenario.
type Phase string

// The phases of a scenario. Where nothing says when the operation ran, each is the whole of the captures.
const (
	Baseline  Phase = "baseline"  // before the operation
	Trigger   Phase = "trigger"   // the lead before it
	Operation Phase = "operation" // while it runs
	Around    Phase = "around"    // from the lead before it to the lead after it
	Aftermath Phase = "aftermath" // from its beginning to the end of the captures
	Whole     Phase = "whole"     // all of the captures
)

// Phases returns the phases in the order of time.
func Phases() []Phase { return []Phase{Baseline, Trigger, Operation, Around, Aftermath, Whole} }

// Need says what a line asks for.
type Need uint8

// What a line asks for.
const (
	Required Need = iota
	Welcome       // optional: it tells more where it is there
	Forbidden
)

// String returns required, optional or forbidden, as a scenario's file has it.
func (n Need) String() string { return [...]string{"required", "optional", "forbidden"}[n] }

// Quantifier says of whom a line asks, where its variables stand for several machines.
type Quantifier uint8

// The quantifiers of a line.
const (
	AnyPair  Quantifier = iota // one pair is enough
	EachFrom                   // every machine that may begin, with any of the others
	EachTo                     // every machine that may listen, from any of the others
)

// String returns any, from or to, as a scenario's file has it.
func (q Quantifier) String() string { return [...]string{"any", "from", "to"}[q] }

// LineKind is what kind of evidence a line asks for.
type LineKind uint8

// The kinds of lines.
const (
	Conversations LineKind = iota // documented by the line's rows
	Silence                       // not one frame of the machines
	Voice                         // some frame of the machines, whatever it is
	Announcement                  // a RARP or gratuitous ARP frame: a machine says where it is now
)

// Line is one requirement of a scenario.
type Line struct {
	Number     int // from 1, in the order of the file
	ID         string
	Means      string // in words
	Kind       LineKind
	Rows       []*Row   // any of; of Conversations
	From, To   []string // variables: who begins, and with whom; of Silence and Voice From alone
	Each       Quantifier
	Need       Need
	Phase      Phase
	OneOf      string   // lines of one group are alternatives of each other; empty: none
	After      []string // lines that must have begun earlier, where the headers show when both began
	New        bool     // only connections that begin within the phase count
	Mild       bool     // a forbidden line that only warns
	Within     Limit    // of the phase, only this long counts
	MaxGap     Limit    // longest silence between two packets
	MinPackets Limit
	MinBytes   Limit // payload
	CannotShow string
	FileLine   int
}

// Limit is a figure of a scenario: a time or an amount. The zero Limit is none.
type Limit struct {
	N        int64 // nanoseconds, packets or bytes
	Proposed bool  // flowvet's own figure: no document states it
	Changed  bool  // by the user of this run
}

// Given reports whether there is a limit.
func (l Limit) Given() bool { return l.N > 0 }

// Duration returns a limit that is a time.
func (l Limit) Duration() time.Duration { return time.Duration(l.N) }

// Variable returns the variable with that name, or nil.
func (s *Scenario) Variable(name string) *Variable {
	for _, v := range s.Variables {
		if v.Name == name {
			return v
		}
	}
	return nil
}

// Line returns the line with that id, or nil.
func (s *Scenario) Line(id string) *Line {
	for _, l := range s.Lines {
		if l.ID == id {
			return l
		}
	}
	return nil
}

// The keys of a line that are limits, and the lead, which is one of the scenario.
const (
	keyLead       = "lead"
	keyWithin     = "within"
	keyMaxGap     = "max-gap"
	keyMinPackets = "min-packets"
	keyMinBytes   = "min-bytes"
)

// limits returns the limits of a line by their keys.
func (l *Line) limits() map[string]*Limit {
	return map[string]*Limit{keyWithin: &l.Within, keyMaxGap: &l.MaxGap, keyMinPackets: &l.MinPackets, keyMinBytes: &l.MinBytes}
}

// With returns the scenario with one of its limits changed: "LINE.max-gap=30s", or "lead=2m".
func (s *Scenario) With(setting string) (*Scenario, error) {
	name, value, ok := strings.Cut(setting, "=")
	if !ok {
		return nil, fmt.Errorf("%s: write LINE.LIMIT=VALUE, such as %s", quote(setting), s.exampleSetting())
	}
	changed := *s
	if name == keyLead {
		limit, err := parseLimit(keyLead, value)
		limit.Changed = true
		changed.Lead = limit
		return &changed, err
	}
	id, key, _ := strings.Cut(name, ".")
	i := slices.IndexFunc(s.Lines, func(l *Line) bool { return l.ID == id })
	if i < 0 {
		return nil, fmt.Errorf("%s: scenario %s has no line %s%s", quote(setting), s.Name, quote(id), hinted(id, s.lineIDs()))
	}
	line := *s.Lines[i]
	limits := line.limits()
	to, known := limits[key]
	if !known || !to.Given() {
		return nil, fmt.Errorf("%s: line %s of scenario %s has no limit %s: it has %s", quote(setting), id, s.Name, quote(key), strings.Join(line.limitNames(), ", "))
	}
	limit, err := parseLimit(key, value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", quote(setting), err)
	}
	limit.Changed = true
	*to = limit
	changed.Lines = slices.Clone(s.Lines)
	changed.Lines[i] = &line
	return &changed, nil
}

// exampleSetting returns a setting that this scenario has.
func (s *Scenario) exampleSetting() string {
	for _, l := range s.Lines {
		if l.MaxGap.Given() {
			return l.ID + ".max-gap=30s"
		}
	}
	return "lead=30s"
}

// limitNames lists the limits that a line has, or "none".
func (l *Line) limitNames() []string {
	var names []string
	for key, limit := range l.limits() {
		if limit.Given() {
			names = append(names, key)
		}
	}
	if len(names) == 0 {
		return []string{"none"}
	}
	slices.Sort(names)
	return names
}

func (s *Scenario) lineIDs() []string {
	ids := make([]string, len(s.Lines))
	for i, l := range s.Lines {
		ids[i] = l.ID
	}
	return ids
}

// hinted returns ": did you mean …?", or which words there are.
func hinted(word string, known []string) string {
	if near := Nearest(word, known); near != "" {
		return fmt.Sprintf(": did you mean %q?", near)
	}
	return ": known are " + strings.Join(known, ", ")
}

// maxLimitTime is the longest time a scenario may name: nobody captures for a month.
const maxLimitTime = maxPeriod * time.Second

// byteUnits are the units an amount of bytes can be written in.
var byteUnits = []struct {
	suffix string
	n      int64
}{{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"", 1}}

// parseLimit reads a time ("60s", "5m"), a number of packets, or an amount of bytes ("1MB").
func parseLimit(key, text string) (Limit, error) {
	switch key {
	case keyMinPackets:
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < 1 {
			return Limit{}, fmt.Errorf("%s is no number of packets", quote(text))
		}
		return Limit{N: n}, nil
	case keyMinBytes:
		for _, unit := range byteUnits {
			number, ok := strings.CutSuffix(text, unit.suffix)
			if n, err := strconv.ParseInt(number, 10, 32); ok && err == nil && n > 0 {
				return Limit{N: n * unit.n}, nil
			}
		}
		return Limit{}, fmt.Errorf("%s is no amount of bytes: write 1000000 or 1MB", quote(text))
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second || d > maxLimitTime || d%time.Second != 0 {
		return Limit{}, fmt.Errorf("%s is no time: write whole seconds, such as 60s or 5m", quote(text))
	}
	return Limit{N: int64(d)}, nil
}
