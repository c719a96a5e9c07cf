package match

import "time"

// Exception is a decision of people: a finding it selects is excepted until it expires. The verdict stays as it is.
type Exception struct {
	ID            string
	Verdicts      []string
	Src, Dst      string // address, prefix, machine or role; empty: any
	Transport     string // tcp, udp; empty: any
	Ports         string // "23", "5900-5964"; empty: any
	Rows          []string
	Blanket       bool // allowed to select by fewer than two of src, dst, port
	Justification string
	Owner         string
	Approver      string
	Created       time.Time
	Expires       time.Time // the exception holds before this instant
	Ticket        string
	Controls      []string
	Line          int
}
