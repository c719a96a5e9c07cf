package report

import (
	"fmt"

	"flowvet/match"
)

// FindingLine says in a few words what a finding is: "unlisted-port  203.0.113.99 -> esx01  23/tcp". It is safe for a
// terminal.
func FindingLine(f *match.Finding) string {
	return fmt.Sprintf("%s  %s", f.Verdict, ConversationLine(f))
}

// ConversationLine is FindingLine without the verdict.
func ConversationLine(f *match.Finding) string {
	return fmt.Sprintf("%s -> %s  %s", shortName(f.Initiator, f.From), shortName(f.Responder, f.To), service(f.Proto, f.Port))
}

// ExpectationLine says in a few words what is expected: "esx02 (10.0.0.12) -> ntp01 (10.0.0.5)  123/udp". It is safe for a
// terminal.
func ExpectationLine(r *match.Result, e *match.Expectation) string {
	t := &teller{r: r}
	line := t.parties(&shortfall{members: []*match.Expectation{e}})
	if len(e.Rows) > 0 {
		line += "  " + rowService(e.Rows[0])
	}
	return line
}
