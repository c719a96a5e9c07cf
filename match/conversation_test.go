package match

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"flowvet/capture"
	"flowvet/catalog"
)

// plainConversation keeps everything of a conversation as it is said, where conv writes what most have in a few bytes.
type plainConversation struct {
	seconds capture.Seconds
	vlans   []uint16
	all     tally
	flows   uint32
}

func (p *plainConversation) add(f *capture.Flow, h happening) {
	for _, run := range f.Seconds {
		p.seconds.AddRun(run)
	}
	for _, v := range f.VLANs {
		if !slices.Contains(p.vlans, v) {
			p.vlans = append(p.vlans, v)
		}
	}
	slices.Sort(p.vlans)
	p.all.count(h.outcome, uint8(slices.Index(details[:], h.detail)), h.oneWay, 1)
	p.flows++
}

// TestAConversationSaysWhatItsFlowsSay adds up random flows both ways.
func TestAConversationSaysWhatItsFlowsSay(t *testing.T) {
	happenings := []happening{
		{outcome: Success, detail: "data"},
		{outcome: Success, detail: "established"},
		{outcome: Unanswered},
		{outcome: Unanswered, oneWay: true},
		{outcome: Pending, oneWay: true},
		{outcome: Refused, detail: "rst"},
	}
	together, alike, tagged := 0, 0, 0
	for seed := range uint64(20_000) {
		rng := rand.New(rand.NewPCG(seed, 8))
		c, plain := &conv{}, &plainConversation{}
		for range 1 + rng.IntN(4) {
			f := flowAt(rng)
			h := happenings[rng.IntN(1+rng.IntN(len(happenings)))]
			c.sum(&f, &f.FromA, &f.FromB)
			c.count(h, 1, false)
			plain.add(&f, h)
		}
		together, alike, tagged = together+count(c.together), alike+count(c.ended() == nil), tagged+count(c.tagged)
		noReply := rng.IntN(2) == 0
		c.conclude(noReply)
		outcome, detail := plain.all.best(!noReply)
		var outcomes [outcomes]int
		for o, n := range plain.all.flows {
			outcomes[o] = int(n)
		}
		if !slices.Equal(c.seconds(), plain.seconds) || !slices.Equal(c.vlans(), plain.vlans) || c.Flows != plain.flows {
			t.Fatalf("seed %d: %v, %v, %d flows, want %v, %v, %d", seed, c.seconds(), c.vlans(), c.Flows, plain.seconds, plain.vlans, plain.flows)
		}
		if c.Outcome != outcome || c.detail != detail || c.outcomes() != outcomes {
			t.Fatalf("seed %d: %v, %s, %v, want %v, %s, %v", seed, c.Outcome, details[c.detail], c.outcomes(), outcome, details[detail], outcomes)
		}
		for range 5 {
			w := capture.Run{First: rng.Int64N(12), Last: rng.Int64N(12)}
			if got, want := c.spoke(w), plain.seconds.Intersects(w); got != want {
				t.Fatalf("seed %d: spoke within %v: %v, want %v of %v", seed, w, got, want, plain.seconds)
			}
		}
	}
	if together < 5000 || alike < 5000 || tagged < 5000 {
		t.Errorf("only %d were in one run of seconds, %d ended alike, %d had a VLAN", together, alike, tagged)
	}
}

// flowAt makes a flow within ten seconds, mostly with packets in each of them.
func flowAt(rng *rand.Rand) capture.Flow {
	f := capture.Flow{Proto: capture.UDP}
	first := rng.Int64N(8)
	last := first + rng.Int64N(3)
	if rng.IntN(8) > 0 { // else only an ICMP quote names it
		f.FromA = capture.Side{Packets: 1, First: first * 1e9, Last: first * 1e9}
		f.FromB = capture.Side{Packets: uint64(rng.IntN(2)), First: last * 1e9, Last: last * 1e9}
		if f.FromB.Packets == 0 {
			last = first
		}
		f.Seconds.AddRun(capture.Run{First: first, Last: first})
		f.Seconds.AddRun(capture.Run{First: last, Last: last})
		if rng.IntN(4) > 0 {
			f.Seconds.AddRun(capture.Run{First: first, Last: last})
		}
	}
	for range rng.IntN(3) {
		f.VLANs = append(f.VLANs, uint16(rng.IntN(2)))
	}
	return f
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// TestFindingsAreLentAsTheyAreMade asks for the findings of a site each way.
func TestFindingsAreLentAsTheyAreMade(t *testing.T) {
	s := newSite(t, catalog.Default(), 60, 400)
	made := evaluated(t, s.inv, s.capture).Findings
	if made.Len() < 200 {
		t.Fatalf("only %d findings", made.Len())
	}
	var list []*Finding
	for i := range made.Len() {
		list = append(list, made.At(i))
	}
	byHand := FindingsOf(list...)
	for i, f := range made.All() {
		if !reflect.DeepEqual(f, list[i]) || made.ID(i) != byHand.ID(i) || made.Verdict(i) != byHand.Verdict(i) {
			t.Fatalf("finding %d is lent as %+v, and made as %+v", i, f, list[i])
		}
	}
	for b := NotJudged; b <= Documented; b++ {
		var in, want []int
		for i := range made.In(b) {
			in = append(in, i)
		}
		for i, f := range list {
			if f.Bucket() == b {
				want = append(want, i)
			}
		}
		if !slices.Equal(in, want) {
			t.Errorf("%v: %v, want %v", b, in, want)
		}
		for i, f := range made.Of(want) {
			if !reflect.DeepEqual(f, list[i]) {
				t.Errorf("%v: finding %d is another", b, i)
			}
		}
	}
}
