package match

import (
	"net/netip"
	"time"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
)

// Bucket is one of the words that head a report.
type Bucket uint8

// The buckets, in report order.
const (
	NotJudged     Bucket = iota // out of scope, not applicable, not exercised
	Undocumented                //
	Absent                      // of expectations only
	Indeterminate               //
	Documented                  // of expectations: met
)

// String returns the bucket's word.
func (b Bucket) String() string {
	return [...]string{"not-judged", "undocumented", "absent", "indeterminate", "documented"}[b]
}

// Level is how much a finding or an expectation matters.
type Level uint8

// The levels, lowest first.
const (
	LevelNone Level = iota
	LevelPass
	LevelNote
	LevelWarning
	LevelError
)

// String returns none, pass, note, warning or error.
func (l Level) String() string {
	return [...]string{"none", "pass", "note", "warning", "error"}[l]
}

// Verdict is what the catalogue says of one conversation.
type Verdict uint8

// The flow verdicts, in the order in which they are tried.
const (
	OutOfScope Verdict = iota
	VerdictDocumented
	DocumentedOverride
	DocumentedBroad
	GroupCast
	DirectionUnconfirmed
	WrongVersion
	WrongDirection
	WrongTransport
	AmbiguousRole
	UnknownEndpoint
	WrongSource
	WrongTarget
	UnlistedPort
	verdicts
)

// String returns the verdict's stable name.
func (v Verdict) String() string {
	return [...]string{
		"out-of-scope", "documented", "documented-override", "documented-broad", "group-cast", "direction-unconfirmed",
		"wrong-version", "wrong-direction", "wrong-transport", "ambiguous-role", "unknown-endpoint", "wrong-source",
		"wrong-target", "unlisted-port",
	}[v]
}

// Bucket returns the bucket of the verdict.
func (v Verdict) Bucket() Bucket {
	switch v {
	case OutOfScope:
		return NotJudged
	case VerdictDocumented, DocumentedOverride, DocumentedBroad:
		return Documented
	case DirectionUnconfirmed, AmbiguousRole:
		return Indeterminate
	}
	return Undocumented
}

// Level returns the level of the verdict before any qualifier lowers it.
func (v Verdict) Level() Level {
	switch v {
	case OutOfScope:
		return LevelNone
	case VerdictDocumented, DocumentedOverride:
		return LevelPass
	case DocumentedBroad, GroupCast, DirectionUnconfirmed, AmbiguousRole:
		return LevelWarning
	}
	return LevelError
}

// Basis says how the initiator of a conversation is known.
type Basis uint8

// The bases, in the order in which they are tried.
const (
	BasisNone Basis = iota
	BasisSYN
	BasisSYNACK
	BasisICMPQuote
	BasisCast
	BasisSymmetricPort
	BasisUDPRequest
	BasisUDPReply
	BasisCatalogPort
	BasisCommonPort
	BasisSYNACKOnly
	BasisPortRange
	BasisFirstPacket
)

// String returns the basis's stable name.
func (b Basis) String() string {
	return [...]string{
		"none", "syn", "synack", "icmp-quote", "cast", "symmetric-port", "udp-request", "udp-reply", "catalog-port",
		"common-port", "synack-only", "port-range", "first-packet",
	}[b]
}

// Certainty is how far a basis carries.
type Certainty uint8

// The certainties, weakest first.
const (
	Guess Certainty = iota // and "none": nothing but an assumption
	Likely
	Certain
)

// String returns guess, likely or certain.
func (c Certainty) String() string { return [...]string{"guess", "likely", "certain"}[c] }

// Outcome is what the packets show happened, lowest first.
type Outcome uint8

// The outcomes.
const (
	OutcomeNone Outcome = iota
	OneSided
	Pending
	Unanswered
	Refused
	HalfOpen
	Success
	outcomes
)

// String returns the outcome's stable name.
func (o Outcome) String() string {
	return [...]string{"none", "one-sided", "pending", "unanswered", "refused", "half-open", "success"}[o]
}

// Qualifiers are marks beside a verdict.
type Qualifiers uint16

// The qualifiers.
const (
	ClientAssumed Qualifiers = 1 << iota
	Insecure
	DirectionInferred
	Undirected
	VersionUnverified
	OutsideWindow
	OtherPlane
	ScanLike
	RoleInferred
	DocumentDisputed
	Companion
	ForeignSegment
	FlowRecords    // seen in flow records, and perhaps not in packets
	SampledRecords // of these, by an exporter that looks at some packets only
	qualifiersEnd
)

var qualifierNames = [...]string{
	"client-assumed", "insecure", "direction-inferred", "undirected", "version-unverified", "outside-window",
	"other-plane", "scan-like", "role-inferred", "document-disputed", "companion",
	"foreign-segment", "flow-records", "sampled",
}

// Names returns the stable names of the set, in a fixed order.
func (q Qualifiers) Names() []string {
	var names []string
	for i, name := range qualifierNames {
		if q&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// Has reports whether every qualifier of r is in q.
func (q Qualifiers) Has(r Qualifiers) bool { return q&r == r }

// Conversation is the unit of judgement: initiator address, responder address, transport, responder port.
type Conversation struct {
	Initiator, Responder netip.Addr
	Groups               []netip.Addr // every group the sender reached, of a group-cast finding; sorted
	Proto                capture.Proto
	Port                 uint16
	Segment              capture.Segment // where VLANs are told apart
	Basis                Basis
	Certainty            Certainty
	Outcome              Outcome
	Detail               string        // of the outcome: established, data, midstream, inferred, oneway; rst, icmp-port, icmp-admin, icmp-host
	Outcomes             [outcomes]int // flows by outcome
	InWindow             Outcome       // of the flows with packets inside the window; none where no window is asked for
	Flows                int
	Connections          int  // distinct initial sequence numbers; 0 where no SYN was seen
	ConnectionsCapped    bool // Connections is a lower bound
	Sent, Received       Traffic
	First, Last          int64           // nanoseconds since 1970 UTC; 0 where only an ICMP quote names it
	Seconds              capture.Seconds // in which it had packets
	VLANs                []uint16
	Evidence             capture.Ref // the packet that decided the initiator
	EphemeralPort        uint16      // the initiator's port in the flow that Evidence is of
}

// Traffic is an amount of packets.
type Traffic struct{ Packets, Bytes uint64 }

// Near is a row that nearly documents a finding, and which of its columns do not match.
type Near struct {
	Row                                     *catalog.Row
	PortOK, TransportOK, SourceOK, TargetOK bool
	DirectionOK                             bool // false: the row fits with the ends exchanged
	ProductOK                               bool // false: printed for a product or version that is not there
	RelationOK                              bool // false: the row means linked machines, or another site
}

// Hypothesis is what would document a finding: a role for an end that has none (or only an ancestor of it).
type Hypothesis struct {
	Responder bool // the end that would play the role; false: the initiator
	Role      catalog.Role
	Row       *catalog.Row
}

// Disposition is what people decided of a finding.
type Disposition struct {
	Exception *Exception // active and applied; nil: the finding is open
	Expired   *Exception // would have applied, but has expired
}

// Excepted reports whether an active exception covers the finding.
func (d Disposition) Excepted() bool { return d.Exception != nil }

// Finding is a judged conversation. What depends on the roles of its ends and the port only, findings share: who changes a
// slice of one, or what From and To point to, changes others.
type Finding struct {
	Conversation
	From, To    *inventory.Placed // what is known of the ends; Addr is valid iff a machine has it
	Verdict     Verdict
	Level       Level // after qualifiers
	Qualifiers  Qualifiers
	Rows        []*catalog.Row // documented: primary first, then "also documented by"; else the rows the verdict rests on
	Allowed     []catalog.Role // wrong-source: the initiators, wrong-target: the responders that are documented
	Near        []Near         // undocumented: nearest first, at most three
	Hypotheses  []Hypothesis   // unknown-endpoint, ambiguous-role
	Shown       Verdict        // direction-unconfirmed: the verdict of the reading shown; else Verdict
	Exchanged   *Reading       // direction-unconfirmed: the other reading
	Disposition Disposition
	Scan        int // index+1 into Result.Scans; 0 = of no scan
}

// Supposed returns the address that would play a hypothesis' role.
func (f *Finding) Supposed(h Hypothesis) netip.Addr {
	if h.Responder {
		return f.Responder
	}
	return f.Initiator
}

// Bucket returns the bucket of the finding's verdict.
func (f *Finding) Bucket() Bucket { return f.Verdict.Bucket() }

// Reading is one way to read a flow whose initiator is not known.
type Reading struct {
	Initiator, Responder netip.Addr
	Port                 uint16
	Verdict              Verdict
	Rows                 []*catalog.Row
}

// Scan is a group of refused or unanswered conversations of one initiator. It counts once.
type Scan struct {
	Initiator netip.Addr
	Members   []int // indices into Result.Findings
	Rest      Rest  // what else belongs to it
	Worst     int   // the member whose bucket, level and disposition the group has: an open one where there is one
	Hosts     int   // of all members, Rest included
	Ports     int
}

// Rest is what the members of a scan add up to that are no findings of their own.
type Rest struct {
	Conversations, Flows int
	Packets, Bytes       uint64
	Outcomes             [outcomes]int // conversations by outcome
}

// ExpectationVerdict is what became of an expectation.
type ExpectationVerdict uint8

// The expectation verdicts. Those from GapExceeded on are of lines of scenarios only.
const (
	NotApplicable ExpectationVerdict = iota
	Met
	NotExercised
	ExpectedHalfOpen
	AttemptedRefused
	AttemptedUnanswered
	SeenOtherWay
	ExpectedPending
	ExpectedOneSided
	ExpectedAbsent
	NotObservable
	GapExceeded
	TooLittle
	ForbiddenSeen
	WrongRole
	OutOfOrder
	expectationVerdicts
)

// String returns the verdict's stable name.
func (v ExpectationVerdict) String() string {
	return [...]string{
		"not-applicable", "met", "not-exercised", "half-open", "attempted-refused", "attempted-unanswered",
		"seen-other-way", "pending", "one-sided", "absent", "not-observable",
		"gap-exceeded", "too-little", "forbidden-seen", "wrong-role", "out-of-order",
	}[v]
}

// Bucket returns the bucket of the verdict.
func (v ExpectationVerdict) Bucket() Bucket {
	switch v {
	case NotApplicable, NotExercised:
		return NotJudged
	case Met:
		return Documented
	case ExpectedPending, ExpectedOneSided, NotObservable:
		return Indeterminate
	}
	return Absent
}

// Coverage is what a capture could have seen of an expectation.
type Coverage uint8

// The coverage levels, weakest first. Only Declared and Proven support "absent".
const (
	Unproven Coverage = iota
	CoverageLikely
	CoverageDeclared
	Proven
)

// String returns unproven, likely, declared or proven.
func (c Coverage) String() string {
	return [...]string{"unproven", "likely", "declared", "proven"}[c]
}

// Reason says why coverage is not enough: one of the reason codes, with what would mend it.
type Reason struct {
	Code   string // window-not-covered, window-too-short, capture-filter, …
	Detail string // in words, with names and figures
	Remedy string // what to do next time
}

// Expectation is what a row, or rows that say the same, require of one machine (or of any pair).
type Expectation struct {
	ID          string
	Rows        []*catalog.Row // sorted by id
	Class       catalog.Class  // of the first row that makes it expected
	Subject     *inventory.Machine
	SubjectEnd  catalog.End // Source or Target: where the subject stands; Either for "any"
	Candidates  Machines    // possible other ends; for "any": every machine at either end
	AnyClient   bool        // the other end is any address that may play a client role
	Required    bool        // false: only seen elsewhere in the capture
	InView      bool        // inside the declared view; counts for exit status 3
	Window      Window
	Need        time.Duration // the least window in which absence can be said
	Verdict     ExpectationVerdict
	Level       Level
	Coverage    Coverage
	Reason      Reason // valid iff Verdict is NotObservable
	Evidence    []int  // indices into Result.Findings: what met it, or was tried
	Disposition Disposition
	Inferred    bool   // a machine's role is inferred: never more than a warning
	Filter      string // Wireshark display filter of what was expected

	// Of a line of a scenario only.
	Scenario int           // index+1 into Result.Scenarios; 0: of none
	Line     *catalog.Line // nil: of none
	Detail   string        // what was seen of it, in words
	First    int64         // its first packet in the window, nanoseconds since 1970 UTC; 0: none
	Silence  *Silence      // the longest, of a line with a max-gap that has evidence
}

// ExpectationVerdicts lists the expectation verdicts.
func ExpectationVerdicts() []ExpectationVerdict {
	all := make([]ExpectationVerdict, expectationVerdicts)
	for i := range all {
		all[i] = ExpectationVerdict(i)
	}
	return all
}

// Bucket returns the bucket of the expectation's verdict.
func (e *Expectation) Bucket() Bucket { return e.Verdict.Bucket() }

// Window is an interval of time, nanoseconds since 1970 UTC, both inclusive. The zero Window is all time.
type Window struct{ Start, End int64 }

// IsZero reports whether w is all time.
func (w Window) IsZero() bool { return w == Window{} }

// CaptureInfo is what the header of a report says of one capture.
type CaptureInfo struct {
	Name, Format    string
	Size            int64
	SHA256          string // of the file, hexadecimal; empty: not asked for
	Packets         uint64
	First, Last     int64
	Interfaces      []capture.Interface
	Filter          string // recorded or given; empty: none known
	DropsRecorded   bool
	Received, Drops uint64
	AckedUnseen     float64 // fraction of acknowledged TCP bytes that the capture does not hold
	HalfCapture     bool
	FilterSuspected string          // in words; empty: not suspected
	Damage          *capture.Damage // the first
	Damages         []capture.Damage
	Interrupted     bool
	Gaps            []capture.Gap // of a live capture: when it was blind, or lost packets
	Compression     string        // of the file; empty: none
	Expanded        int64         // bytes it expanded to
	Shift           int64         // nanoseconds by which its clock was corrected
	Duplicates      uint64        // packets seen twice
	Removed         uint64        // of these, left out
	Names           []capture.Name
	Comments        []string
	Named           uint64 // names and comments in the file, also those that were not kept
	Commented       uint64
	Records         capture.RecordStats // valid iff FlowRecords
	FlowRecords     bool                // it tells what somebody else counted
	Folded          FlowCount           // what of it the flow table had no room for
	SecondsJoined   uint64              // how often it had no room for when a flow was silent
}

// FlowCount is an amount of flows.
type FlowCount struct{ Flows, Packets uint64 }

// Service counts traffic that is not judged.
type Service struct {
	Proto         capture.Proto
	Port          uint16
	Conversations int
	Packets       uint64
}

// Talker is a busy address, for a capture in which nobody is recognised.
type Talker struct {
	Addr    netip.Addr
	Packets uint64
	Peers   int
}

// Counts sums a result up. Scan groups count once.
type Counts struct {
	Documented, Undocumented, Indeterminate, Excepted, OutOfScope int // conversations
	Met, Absent, CouldNotJudge, NotExercised                      int // expectations
	Errors, Warnings                                              int // open findings and expectations
}

// ExceptionUse says what became of one exception in this run.
type ExceptionUse struct {
	Exception    *Exception
	State        string // active, expiring, expired, not-yet (created after the time of the report)
	Used         int    // findings it covers (or would cover, when expired)
	TooBroad     string // in words; empty: not too broad
	ExpiresInDay int
}

// Folded is what evicted flows of one kind add up to.
type Folded struct {
	capture.FoldKey
	capture.Fold
}

// Result is everything a report says. It never changes once made, and the same inputs make the same Result.
type Result struct {
	AsOf         time.Time
	Catalog      *catalog.Catalog
	Inventory    *inventory.Inventory
	During       []string
	Window       Window // as asked for; zero: none
	Captures     []CaptureInfo
	First, Last  int64
	Stats        capture.Stats
	Segments     []SegmentUse    // networks and VLANs that are there for one purpose
	Tunnels      []Tunnel        // busiest first
	Events       []capture.Event // earliest first
	Findings     Findings        // sorted: bucket, level, initiator, responder, transport, port
	Scans        []Scan          // sorted by their worst member
	Expectations []Expectation   // sorted: bucket, level, rows, subject
	OutOfScope   []Service       // busiest first
	Talkers      []Talker        // busiest first; filled only when no VMware machine was recognised
	Exceptions   []ExceptionUse
	Asked        Asked         // the scenario as the user named it
	Scenarios    []ScenarioRun // in the order asked for, then of time
	Operations   []Operation   // earliest first; only where they or a scenario were asked for
	Sights       []Sight       // of Grounds.Reaches, in their order
	Recognised   int           // VMware machines of the inventory seen in the captures
	Counts       Counts
	Advice       []Advice // what would settle most, in order; none where little is open
	Warnings     []string
	Status       int    // exit status by the findings alone: 0, 1, 3, 4 or 70
	StatusWhy    string // one line

	MaxFlows int      // the cap of the flow tables; 0: none
	Folded   []Folded // totals of the flows they had no room for: most flows first
}
