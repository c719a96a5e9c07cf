package report

// The shapes of the JSON report. They are apart from the types of match on purpose: those may change, these may not.

type jsonCounts struct {
	Documented    int `json:"documented"`
	Undocumented  int `json:"undocumented"`
	Indeterminate int `json:"indeterminate"`
	Excepted      int `json:"excepted"`
	OutOfScope    int `json:"out_of_scope"`
	Met           int `json:"met"`
	Absent        int `json:"absent"`
	CouldNotJudge int `json:"could_not_judge"`
	NotExercised  int `json:"not_exercised"`
	Errors        int `json:"errors"`
	Warnings      int `json:"warnings"`
}

type jsonNarrowed struct {
	Machine string   `json:"machine,omitempty"`
	Only    []string `json:"only"`
}

type jsonSource struct {
	Name   string `json:"name"`
	Rows   int    `json:"rows"`
	SHA256 string `json:"sha256"`
	// Unofficial marks a catalogue that comes along with flowvet and is not the vendor's document.
	Unofficial bool `json:"unofficial,omitempty"`
}

// jsonAdvice is a step that would settle findings.
type jsonAdvice struct {
	Kind     string `json:"kind"`
	Catalog  string `json:"catalog,omitempty"`
	Address  string `json:"address,omitempty"`
	Role     string `json:"role,omitempty"`
	Findings int    `json:"findings"`
}

type jsonCatalog struct {
	Rows    int          `json:"rows"`
	Sources []jsonSource `json:"sources"`
}

type jsonInventory struct {
	Name     string   `json:"name"`
	Machines int      `json:"machines"`
	SHA256   string   `json:"sha256,omitempty"`
	Inferred bool     `json:"inferred"`
	Uses     []string `json:"uses"`
}

type jsonWindow struct {
	Start string `json:"start"`
	End   string `json:"end"`
}

type jsonCapture struct {
	Name            string          `json:"name"`
	Format          string          `json:"format"`
	Compression     string          `json:"compression,omitempty"`
	Bytes           int64           `json:"bytes"`
	SHA256          string          `json:"sha256,omitempty"`
	Expanded        int64           `json:"expanded_bytes,omitempty"`
	Shift           float64         `json:"shift_seconds,omitempty"`
	Packets         uint64          `json:"packets"`
	Records         *jsonRecords    `json:"flow_records,omitempty"`
	First           string          `json:"first,omitempty"`
	Last            string          `json:"last,omitempty"`
	Interfaces      []jsonInterface `json:"interfaces"`
	Filter          string          `json:"filter,omitempty"`
	DropsRecorded   bool            `json:"drops_recorded"`
	Received        uint64          `json:"received"`
	Drops           uint64          `json:"drops"`
	AckedUnseen     float64         `json:"acked_unseen"`
	HalfCapture     bool            `json:"half_capture"`
	FilterSuspected string          `json:"filter_suspected,omitempty"`
	Damage          *jsonDamage     `json:"damage,omitempty"`
	Damages         []jsonDamage    `json:"damages"`
	Interrupted     bool            `json:"interrupted"`
	Gaps            []jsonGap       `json:"gaps,omitempty"`
	Duplicates      uint64          `json:"duplicates"`
	Comments        []string        `json:"comments"`
	Commented       uint64          `json:"comment_count"`
	Names           []jsonName      `json:"names"`
	Named           uint64          `json:"name_count"`
}

type jsonDamage struct {
	Offset   int64  `json:"offset"`
	Reason   string `json:"reason"`
	Expanded bool   `json:"of_expanded_data,omitempty"`
	Skipped  int64  `json:"bytes_passed_over,omitempty"`
}

type jsonGap struct {
	Start   string `json:"start"`
	End     string `json:"end"`
	Reason  string `json:"reason"`
	Lost    uint64 `json:"lost,omitempty"`
	Offered uint64 `json:"offered,omitempty"`
}

type jsonName struct {
	Address string `json:"address"`
	Name    string `json:"name"`
}

type jsonInterface struct {
	Name       string  `json:"name,omitempty"`
	Describes  string  `json:"description,omitempty"`
	LinkType   uint16  `json:"link_type"`
	SnapLength uint32  `json:"snap_length"`
	Filter     string  `json:"filter,omitempty"`
	Start      string  `json:"start,omitempty"`
	End        string  `json:"end,omitempty"`
	Received   *uint64 `json:"received,omitempty"`
	Dropped    *uint64 `json:"dropped,omitempty"`
}

type jsonStats struct {
	Read           uint64            `json:"read"`
	Bytes          uint64            `json:"bytes"`
	Judged         uint64            `json:"judged"`
	Ignored        map[string]uint64 `json:"ignored"`
	Undecodable    map[string]uint64 `json:"undecodable"`
	Balanced       bool              `json:"balanced"`
	Truncated      uint64            `json:"truncated"`
	Duplicates     uint64            `json:"duplicates"`
	OutOfOrder     uint64            `json:"out_of_order"`
	BadTimestamps  uint64            `json:"bad_timestamps"`
	Overlong       uint64            `json:"overlong_records"`
	Broadcasts     uint64            `json:"broadcasts"`
	EtherTypes     map[string]uint64 `json:"ether_types"`
	Protocols      map[string]uint64 `json:"ip_protocols"`
	LinkTypes      map[string]uint64 `json:"unknown_link_types"`
	QuotesRejected uint64            `json:"icmp_quotes_rejected"`

	FragmentsJoined  uint64            `json:"fragments_joined"`
	FragmentsEvicted uint64            `json:"fragments_evicted"`
	TunnelsUncounted uint64            `json:"tunnels_uncounted"`
	EventsUncounted  uint64            `json:"events_uncounted"`
	FoldedFlows      uint64            `json:"folded_flows"`
	FoldedPackets    uint64            `json:"folded_packets"`
	Evictions        uint64            `json:"evictions"`
	PairsRefused     uint64            `json:"pairs_refused"`
	SecondsJoined    uint64            `json:"seconds_joined,omitempty"`
	VLANs            map[string]uint64 `json:"vlans"`
}

type jsonRole struct {
	Role       string `json:"role"`
	Confidence string `json:"confidence"`
	Evidence   string `json:"evidence,omitempty"`
}

type jsonEnd struct {
	Address       string     `json:"address"`
	Machine       string     `json:"machine,omitempty"`
	Products      []string   `json:"products"`
	Network       string     `json:"network,omitempty"`
	Roles         []jsonRole `json:"roles"`
	Confidence    string     `json:"confidence,omitempty"`
	Plane         string     `json:"plane,omitempty"`
	InventoryLine int        `json:"inventory_line,omitempty"`
}

type jsonTraffic struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

type jsonEvidence struct {
	File  string `json:"file"`
	Frame uint64 `json:"frame"`
}

type jsonRow struct {
	ID        string `json:"id"`
	Product   string `json:"product"`
	Ports     string `json:"ports"`
	Transport string `json:"transport"`
	Source    string `json:"source"`
	Target    string `json:"target"`
	Document  string `json:"document"`
	Line      int    `json:"line"`
	Purpose   string `json:"purpose"`
	Erratum   string `json:"erratum,omitempty"`
}

type jsonNear struct {
	Row         jsonRow `json:"row"`
	ProductOK   bool    `json:"product_ok"`
	PortOK      bool    `json:"port_ok"`
	TransportOK bool    `json:"transport_ok"`
	SourceOK    bool    `json:"source_ok"`
	TargetOK    bool    `json:"target_ok"`
	DirectionOK bool    `json:"direction_ok"`
	RelationOK  bool    `json:"relation_ok"`
}

type jsonHypothesis struct {
	Address string `json:"address"`
	Role    string `json:"role"`
	Row     string `json:"row"`
}

// jsonReading is one of the two ways to read a flow whose initiator is not known.
type jsonReading struct {
	Initiator string   `json:"initiator"`
	Responder string   `json:"responder"`
	Port      uint16   `json:"port"`
	Verdict   string   `json:"verdict"`
	Rows      []string `json:"rows"`
}

type jsonDisposition struct {
	State     string `json:"state"`
	Exception string `json:"exception,omitempty"`
	Expired   string `json:"expired,omitempty"`
}

type jsonFinding struct {
	ID                string           `json:"id"`
	Bucket            string           `json:"bucket"`
	Verdict           string           `json:"verdict"`
	Level             string           `json:"level"`
	Qualifiers        []string         `json:"qualifiers"`
	Initiator         jsonEnd          `json:"initiator"`
	Responder         jsonEnd          `json:"responder"`
	Groups            []string         `json:"groups"`
	Transport         string           `json:"transport"`
	Port              uint16           `json:"port"`
	Basis             string           `json:"basis"`
	Certainty         string           `json:"certainty"`
	Outcome           string           `json:"outcome"`
	Detail            string           `json:"detail,omitempty"`
	Outcomes          map[string]int   `json:"outcomes"`
	Flows             int              `json:"flows"`
	Connections       int              `json:"connections"`
	ConnectionsCapped bool             `json:"connections_capped"`
	Sent              jsonTraffic      `json:"sent"`
	Received          jsonTraffic      `json:"received"`
	First             string           `json:"first,omitempty"`
	Last              string           `json:"last,omitempty"`
	VLANs             []uint16         `json:"vlans"`
	Segment           *uint16          `json:"segment,omitempty"`
	Evidence          *jsonEvidence    `json:"evidence,omitempty"`
	EphemeralPort     uint16           `json:"ephemeral_port"`
	Rows              []jsonRow        `json:"rows"`
	Allowed           []string         `json:"allowed"`
	Near              []jsonNear       `json:"near"`
	Hypotheses        []jsonHypothesis `json:"hypotheses"`
	Exchanged         *jsonReading     `json:"exchanged,omitempty"`
	Disposition       jsonDisposition  `json:"disposition"`
	Scan              int              `json:"scan,omitempty"`
	Filter            string           `json:"filter,omitempty"`
}

type jsonScan struct {
	Scan      int      `json:"scan"`
	Initiator string   `json:"initiator"`
	Findings  int      `json:"findings"`
	Hosts     int      `json:"hosts"`
	Ports     int      `json:"ports"`
	Worst     string   `json:"worst"`
	Rest      jsonRest `json:"rest"`
}

// jsonRest is what the members of a scan add up to that are no findings.
type jsonRest struct {
	Conversations int    `json:"conversations"`
	Flows         int    `json:"flows"`
	Packets       uint64 `json:"packets"`
	Bytes         uint64 `json:"bytes"`
}

type jsonReason struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy"`
}

type jsonExpectation struct {
	ID          string          `json:"id"`
	Bucket      string          `json:"bucket"`
	Verdict     string          `json:"verdict"`
	Level       string          `json:"level"`
	Rows        []jsonRow       `json:"rows"`
	Class       string          `json:"class"`
	Subject     string          `json:"subject,omitempty"`
	SubjectEnd  string          `json:"subject_end"`
	Candidates  []string        `json:"candidates"`
	More        int             `json:"more_candidates,omitempty"`
	AnyClient   bool            `json:"any_client"`
	Required    bool            `json:"required"`
	InView      bool            `json:"in_view"`
	Window      *jsonWindow     `json:"window,omitempty"`
	NeedSeconds float64         `json:"need_seconds"`
	Coverage    string          `json:"coverage"`
	Reason      *jsonReason     `json:"reason,omitempty"`
	Evidence    []string        `json:"evidence"`
	Inferred    bool            `json:"inferred"`
	Disposition jsonDisposition `json:"disposition"`
	Filter      string          `json:"filter,omitempty"`
	Scenario    int             `json:"scenario,omitempty"`
	Line        string          `json:"line,omitempty"`
	State       string          `json:"state,omitempty"`
	Detail      string          `json:"detail,omitempty"`
	First       string          `json:"first,omitempty"`
	Silence     *jsonSilence    `json:"silence,omitempty"`
}

// jsonSilence is the longest silence of a line that allows none longer.
type jsonSilence struct {
	Start   string  `json:"start"`
	End     string  `json:"end"`
	Seconds float64 `json:"seconds"`
	Allowed float64 `json:"allowed_seconds"`
	Blind   float64 `json:"blind_seconds"`
}

// jsonAsked is a scenario as the user named it.
type jsonAsked struct {
	Scenario string   `json:"scenario"`
	Bind     []string `json:"bind"`
	Marker   string   `json:"marker,omitempty"`
	Set      []string `json:"set"`
}

type jsonBinding struct {
	Variable string   `json:"variable"`
	Machines []string `json:"machines"`
	By       string   `json:"by"`
}

type jsonScenario struct {
	Scenario   int           `json:"scenario"`
	Name       string        `json:"name"`
	Title      string        `json:"title"`
	File       string        `json:"file"`
	Verdict    string        `json:"verdict"`
	Why        string        `json:"why"`
	Remedy     string        `json:"remedy,omitempty"`
	Operation  int           `json:"operation,omitempty"`
	Start      string        `json:"start"`
	End        string        `json:"end"`
	Known      bool          `json:"start_known"`
	Bindings   []jsonBinding `json:"bindings"`
	CannotShow []string      `json:"cannot_show"`
}

type jsonOperation struct {
	Operation   int             `json:"operation"`
	Kind        string          `json:"kind"`
	Start       string          `json:"start"`
	End         string          `json:"end"`
	Seconds     float64         `json:"seconds"`
	Open        bool            `json:"open"`
	Source      string          `json:"source"`
	Target      string          `json:"target,omitempty"`
	Next        string          `json:"next,omitempty"`
	NextAt      string          `json:"next_at,omitempty"`
	Bytes       uint64          `json:"payload_bytes"`
	Throughput  float64         `json:"bits_per_second"`
	Connections int             `json:"connections"`
	Outcome     string          `json:"outcome"`
	SwitchOver  *jsonSwitchOver `json:"switch_over,omitempty"`
	Before      []jsonPrecursor `json:"before"`
	Evidence    *jsonEvidence   `json:"evidence,omitempty"`
}

// jsonSwitchOver is the announcement that followed an operation, and how long after its end it came.
type jsonSwitchOver struct {
	Kind     string        `json:"kind"`
	Time     string        `json:"time"`
	MAC      string        `json:"mac"`
	After    float64       `json:"seconds_after_end"`
	Evidence *jsonEvidence `json:"evidence,omitempty"`
}

type jsonPrecursor struct {
	Initiator jsonEnd  `json:"initiator"`
	Responder jsonEnd  `json:"responder"`
	Transport string   `json:"transport"`
	Port      uint16   `json:"port"`
	Time      string   `json:"time"`
	Before    float64  `json:"seconds_before"`
	Rows      []string `json:"rows"`
}

type jsonException struct {
	ID            string `json:"id"`
	State         string `json:"state"`
	Used          int    `json:"used"`
	Expires       string `json:"expires"`
	ExpiresInDays int    `json:"expires_in_days"`
	Owner         string `json:"owner"`
	Approver      string `json:"approver,omitempty"`
	Ticket        string `json:"ticket,omitempty"`
	Justification string `json:"justification"`
	TooBroad      string `json:"too_broad,omitempty"`
	Line          int    `json:"line,omitempty"`
}

type jsonService struct {
	Transport     string `json:"transport"`
	Port          uint16 `json:"port"`
	Conversations int    `json:"conversations"`
	Packets       uint64 `json:"packets"`
}

type jsonTalker struct {
	Addr    string `json:"address"`
	Packets uint64 `json:"packets"`
	Peers   int    `json:"peers"`
}
