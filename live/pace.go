package live

import "time"

// The pace of a session.
const (
	pulse = time.Second // of ticks, and the least time between judgements
	share = 10          // judging takes at most this part of the time, and so do checkpoints

	// patience bounds how long a judgement is put off for what it is expected to take: on a table that grows faster than the time for
	// it, none would ever be made.
	patience = time.Minute
	// perFlow is what judging a flow is expected to take where no judgement has shown it: what a million conversations take, of
	// which half are documented (match: BenchmarkJudgeMillion).
	perFlow = 3 * time.Microsecond
	// manyFlows is from how many flows on a judgement shows what one takes: of fewer, most of its time is for the rows.
	manyFlows = 4096
)

// pace says when something may be done again that must not take more than its share of the time.
type pace struct {
	ended    time.Time     // the last time, or the session began
	took     time.Duration // the last time
	perFlow  time.Duration
	patience time.Duration
}

// due reports whether it may be done now, with a table of so many flows.
func (p *pace) due(now time.Time, flows int) bool {
	expected := time.Duration(flows) * p.perFlow
	wait := max(pulse, (share-1)*p.took, min((share-1)*expected, p.patience))
	return now.Sub(p.ended) >= wait
}

// done notes that it was done.
func (p *pace) done(now time.Time, took time.Duration) { p.ended, p.took = now, took }

// learn notes what it took for so many flows.
func (p *pace) learn(took time.Duration, flows int) {
	if flows >= manyFlows {
		p.perFlow = took / time.Duration(flows)
	}
}

// hurry makes it due.
func (p *pace) hurry() { p.ended = time.Time{} }
