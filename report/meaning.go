package report

import "flowvet/match"

// meaning says in one sentence what a verdict means, for reports that are read without the manual.
func meaning(v match.Verdict) string {
	switch v {
	case match.OutOfScope:
		return "No VMware machine at either end, or both ends are one machine."
	case match.VerdictDocumented:
		return "A row of the document permits it between these roles."
	case match.DocumentedOverride:
		return "A row permits it, at the port that this site chose."
	case match.DocumentedBroad:
		return "Only a row of more than 256 ports permits it: no evidence of need."
	case match.GroupCast:
		return "Sent to a broadcast or multicast group that no row names."
	case match.DirectionUnconfirmed:
		return "Who began is not certain, and the two readings are judged differently."
	case match.WrongVersion:
		return "Documented for another version of the product."
	case match.WrongDirection:
		return "Documented with the ends exchanged."
	case match.WrongTransport:
		return "Documented over the other of TCP and UDP."
	case match.AmbiguousRole:
		return "A role that an end may or may not play would document it."
	case match.UnknownEndpoint:
		return "One end has no role; with some role a row would permit it."
	case match.WrongSource:
		return "Documented at this responder, for other initiators."
	case match.WrongTarget:
		return "Documented for this initiator, at other responders."
	}
	return "No row documents this port between these roles."
}

// expectationMeaning says in one sentence what became of an expectation.
func expectationMeaning(v match.ExpectationVerdict) string {
	switch v {
	case match.GapExceeded:
		return "Silent for longer than the scenario allows, while the captures heard others."
	case match.TooLittle:
		return "Seen, but fewer packets or bytes than the scenario asks for."
	case match.ForbiddenSeen:
		return "Seen, though the scenario forbids it at that time."
	case match.WrongRole:
		return "Nobody with the right role was seen, but somebody with another role on the same port."
	case match.OutOfOrder:
		return "Seen, but before what it should come after."
	case match.NotApplicable:
		return "No two machines for it, or its class does not apply."
	case match.Met:
		return "Expected, seen, and successful."
	case match.NotExercised:
		return "A row of events that did not happen in this time."
	case match.ExpectedHalfOpen:
		return "Expected and tried; the handshake was never completed."
	case match.AttemptedRefused:
		return "Expected and tried; it was refused."
	case match.AttemptedUnanswered:
		return "Expected and tried; nobody answered."
	case match.SeenOtherWay:
		return "Expected, and seen only with the ends exchanged."
	case match.ExpectedPending:
		return "Tried; the capture ended before an answer was due."
	case match.ExpectedOneSided:
		return "Tried; the other direction cannot be seen in these captures."
	case match.ExpectedAbsent:
		return "Expected and not seen, although the captures would have shown it."
	}
	return "Expected and not seen; the captures need not have shown it."
}
