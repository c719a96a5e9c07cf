package report

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/match"
)

func jsonCountsOf(c match.Counts) jsonCounts {
	return jsonCounts{
		Documented: c.Documented, Undocumented: c.Undocumented, Indeterminate: c.Indeterminate, Excepted: c.Excepted,
		OutOfScope: c.OutOfScope, Met: c.Met, Absent: c.Absent, CouldNotJudge: c.CouldNotJudge, NotExercised: c.NotExercised,
		Errors: c.Errors, Warnings: c.Warnings,
	}
}

func jsonAdviceOf(a match.Advice) jsonAdvice {
	j := jsonAdvice{Kind: a.Kind.String(), Catalog: a.Catalog, Role: string(a.Role), Findings: a.Findings}
	if a.Addr.IsValid() {
		j.Address = a.Addr.String()
	}
	return j
}

func jsonCatalogOf(r *match.Result) jsonCatalog {
	c := jsonCatalog{Sources: []jsonSource{}}
	if r.Catalog == nil {
		return c
	}
	c.Rows = len(r.Catalog.Rows)
	for _, s := range r.Catalog.Sources {
		c.Sources = append(c.Sources, jsonSource{s.Name, s.Rows, s.SHA256, s.Unofficial})
	}
	return c
}

func jsonInventoryOf(r *match.Result) jsonInventory {
	v := r.Inventory
	if v == nil {
		return jsonInventory{Uses: []string{}}
	}
	return jsonInventory{v.Name, len(v.Machines), v.SHA256, v.Inferred, list(v.Uses)}
}

func jsonWindowOf(w match.Window) *jsonWindow {
	if w.IsZero() {
		return nil
	}
	return &jsonWindow{instantExact(w.Start), instantExact(w.End)}
}

func jsonCaptureOf(c *match.CaptureInfo) jsonCapture {
	j := jsonCapture{
		Name: c.Name, Format: c.Format, Bytes: c.Size, SHA256: c.SHA256, Packets: c.Packets, Interfaces: each(c.Interfaces, jsonInterfaceOf),
		Filter: c.Filter, DropsRecorded: c.DropsRecorded, Received: c.Received, Drops: c.Drops, AckedUnseen: c.AckedUnseen,
		HalfCapture: c.HalfCapture, FilterSuspected: c.FilterSuspected, Interrupted: c.Interrupted,
		Compression: c.Compression, Expanded: c.Expanded, Shift: time.Duration(c.Shift).Seconds(), Duplicates: c.Duplicates,
		Damages: each(c.Damages, jsonDamageOf), Gaps: each(c.Gaps, jsonGapOf), Comments: list(c.Comments), Commented: c.Commented,
		Names: each(c.Names, jsonNameOf), Named: c.Named, Records: jsonRecordsOf(&c.Records, c.FlowRecords),
	}
	if c.Packets > 0 {
		j.First, j.Last = instantExact(c.First), instantExact(c.Last)
	}
	if c.Damage != nil {
		first := jsonDamageOf(*c.Damage)
		j.Damage = &first
	}
	return j
}

func jsonInterfaceOf(i capture.Interface) jsonInterface {
	j := jsonInterface{
		Name: i.Name, Describes: i.Description, LinkType: uint16(i.Link), SnapLength: i.SnapLen, Filter: i.Filter,
		Start: instantExact(i.Start), End: instantExact(i.End),
	}
	if i.Counted {
		j.Received, j.Dropped = &i.Received, &i.Dropped
	}
	return j
}

func jsonStatsOf(s *capture.Stats) jsonStats {
	j := jsonStats{
		Read: s.Read, Bytes: s.Bytes, Judged: s.Flowed, Ignored: map[string]uint64{}, Undecodable: map[string]uint64{},
		Balanced: s.Balanced(), Truncated: s.Truncated, Duplicates: s.Duplicates, OutOfOrder: s.OutOfOrder,
		BadTimestamps: s.BadTimestamps, Overlong: s.OverlongRecords, Broadcasts: s.Broadcasts, QuotesRejected: s.QuotesRejected,
		FragmentsJoined: s.FragmentsJoined, FragmentsEvicted: s.FragmentsEvicted,
		TunnelsUncounted: s.TunnelsUncounted, EventsUncounted: s.EventsUncounted,
		EtherTypes: keyed(s.EtherTypes, "0x%04x"), Protocols: keyed(s.Protocols, "%d"), LinkTypes: keyed(s.LinkTypes, "%d"),
		VLANs: keyed(s.VLANs, "%d"),
	}
	j.FoldedFlows, j.FoldedPackets, j.Evictions, j.PairsRefused = s.FoldedFlows, s.FoldedPackets, s.Evictions, s.PairsRefused
	j.SecondsJoined = s.SecondsJoined
	ignored, undecodable := partsOf(s)
	for _, p := range ignored {
		j.Ignored[p.reason] = p.n
	}
	for _, p := range undecodable {
		j.Undecodable[p.reason] = p.n
	}
	return j
}

func keyed[K ~uint8 | ~uint16](counts map[K]uint64, format string) map[string]uint64 {
	named := make(map[string]uint64, len(counts))
	for k, n := range counts {
		named[fmt.Sprintf(format, uint16(k))] = n
	}
	return named
}

func jsonEndOf(a netip.Addr, p *inventory.Placed) jsonEnd {
	e := jsonEnd{Address: a.String(), Products: []string{}, Roles: []jsonRole{}, Plane: p.Plane, InventoryLine: p.Line}
	if p.Machine != nil {
		e.Machine = p.Machine.Name
		e.Products = each(p.Machine.Products, catalog.Deployed.String)
	}
	if p.Network != nil {
		e.Network = p.Network.Prefix.String()
	}
	weakest := inventory.Declared
	for _, g := range p.Roles {
		weakest = min(weakest, g.Confidence)
		e.Roles = append(e.Roles, jsonRole{string(g.Role), g.Confidence.String(), g.Evidence})
	}
	if len(p.Roles) > 0 {
		e.Confidence = weakest.String()
	}
	return e
}

func jsonRowOf(r *catalog.Row) jsonRow {
	j := jsonRow{
		ID: r.ID, Product: r.Product, Ports: r.Ports.String(), Transport: strings.ToLower(r.Transport.String()),
		Source: r.SourcePrinted, Target: r.TargetPrinted, Document: r.Origin.Document, Line: r.Origin.Line, Purpose: r.Purpose,
	}
	if r.Erratum {
		j.Erratum = r.Note
	}
	return j
}

func jsonNearOf(n match.Near) jsonNear {
	return jsonNear{jsonRowOf(n.Row), n.ProductOK, n.PortOK, n.TransportOK, n.SourceOK, n.TargetOK, n.DirectionOK, n.RelationOK}
}

func jsonHypothesesOf(f *match.Finding) []jsonHypothesis {
	return each(f.Hypotheses, func(h match.Hypothesis) jsonHypothesis {
		return jsonHypothesis{f.Supposed(h).String(), string(h.Role), h.Row.ID}
	})
}

func jsonReadingOf(x *match.Reading) *jsonReading {
	if x == nil {
		return nil
	}
	return &jsonReading{x.Initiator.String(), x.Responder.String(), x.Port, x.Verdict.String(), each(x.Rows, rowID)}
}

func rowID(r *catalog.Row) string { return r.ID }

func jsonDispositionOf(d match.Disposition) jsonDisposition {
	j := jsonDisposition{State: "open"}
	if d.Excepted() {
		j.State, j.Exception = "excepted", d.Exception.ID
	}
	if d.Expired != nil {
		j.Expired = d.Expired.ID
	}
	return j
}

func jsonFindingOf(r *match.Result, o Options, f *match.Finding) *jsonFinding {
	j := &jsonFinding{
		ID: f.ID(), Bucket: f.Bucket().String(), Verdict: f.Verdict.String(), Level: f.Level.String(),
		Qualifiers: list(f.Qualifiers.Names()), Initiator: jsonEndOf(f.Initiator, f.From), Responder: jsonEndOf(f.Responder, f.To),
		Groups: each(f.Groups, netip.Addr.String), Transport: f.Proto.String(), Port: f.Port,
		Basis: f.Basis.String(), Certainty: f.Certainty.String(), Outcome: f.Outcome.String(), Detail: f.Detail,
		Outcomes: map[string]int{}, Flows: f.Flows, Connections: f.Connections, ConnectionsCapped: f.ConnectionsCapped,
		Sent: jsonTraffic(f.Sent), Received: jsonTraffic(f.Received), First: instantExact(f.First), Last: instantExact(f.Last),
		VLANs: list(f.VLANs), EphemeralPort: f.EphemeralPort, Rows: each(f.Rows, jsonRowOf),
		Allowed: each(f.Allowed, func(role catalog.Role) string { return string(role) }),
		Near:    each(f.Near, jsonNearOf), Hypotheses: jsonHypothesesOf(f), Exchanged: jsonReadingOf(f.Exchanged),
		Disposition: jsonDispositionOf(f.Disposition), Scan: f.Scan, Filter: f.Filter(),
	}
	if id, ok := f.Segment.VLAN(); ok {
		j.Segment = &id
	}
	for outcome, n := range f.Outcomes {
		if n > 0 {
			j.Outcomes[match.Outcome(outcome).String()] = n
		}
	}
	if f.Evidence.Frame > 0 {
		j.Evidence = &jsonEvidence{captureName(r, o, f.Evidence.File), f.Evidence.Frame}
	}
	return j
}

func jsonScanOf(r *match.Result, i int) jsonScan {
	s := &r.Scans[i]
	return jsonScan{
		Scan: i + 1, Initiator: s.Initiator.String(), Findings: len(s.Members), Hosts: s.Hosts, Ports: s.Ports,
		Worst: r.Findings.ID(s.Worst), Rest: jsonRest{s.Rest.Conversations, s.Rest.Flows, s.Rest.Packets, s.Rest.Bytes},
	}
}

// maxCandidates bounds the machines that the other end of an expectation may be, as JSON, evidence and CSV name them: with all of
// them a report of 5,000 machines, of which 2,000 are hosts, was 31 MB longer.
const maxCandidates = 100

func jsonExpectationOf(r *match.Result, e *match.Expectation) *jsonExpectation {
	j := &jsonExpectation{
		ID: e.ID, Bucket: e.Bucket().String(), Verdict: e.Verdict.String(), Level: e.Level.String(),
		Rows: each(e.Rows, jsonRowOf), Class: e.Class.String(), SubjectEnd: e.SubjectEnd.String(),
		Candidates: each(e.Candidates.First(maxCandidates), func(m *inventory.Machine) string { return m.Name }), AnyClient: e.AnyClient,
		More:     max(0, e.Candidates.Len()-maxCandidates),
		Required: e.Required, InView: e.InView, Window: jsonWindowOf(e.Window), NeedSeconds: e.Need.Seconds(),
		Coverage: e.Coverage.String(), Evidence: each(e.Evidence, func(i int) string { return r.Findings.ID(i) }),
		Inferred: e.Inferred, Disposition: jsonDispositionOf(e.Disposition), Filter: e.Filter,
	}
	if e.Subject != nil {
		j.Subject = e.Subject.Name
	}
	if e.Verdict == match.NotObservable {
		j.Reason = &jsonReason{e.Reason.Code, e.Reason.Detail, e.Reason.Remedy}
	}
	if e.Line != nil {
		j.Scenario, j.Line, j.State, j.Detail, j.First = e.Scenario, e.Line.ID, e.State().String(), e.Detail, instantExact(e.First)
	}
	if s := e.Silence; s != nil {
		j.Silence = &jsonSilence{instantExact(s.Start), instantExact(s.End), s.Length().Seconds(), s.Allowed.Seconds(), s.Blind.Seconds()}
	}
	return j
}

func jsonExceptionOf(u *match.ExceptionUse) jsonException {
	e := u.Exception
	return jsonException{
		ID: e.ID, State: u.State, Used: u.Used, Expires: instantExact(e.Expires.UnixNano()), ExpiresInDays: u.ExpiresInDay,
		Owner: e.Owner, Approver: e.Approver, Ticket: e.Ticket, Justification: e.Justification, TooBroad: u.TooBroad, Line: e.Line,
	}
}

func jsonServiceOf(s match.Service) jsonService {
	return jsonService{s.Proto.String(), s.Port, s.Conversations, s.Packets}
}

func jsonTalkerOf(k match.Talker) jsonTalker { return jsonTalker{k.Addr.String(), k.Packets, k.Peers} }
