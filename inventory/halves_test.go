package inventory

import (
	"bytes"
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flowvet/capture"
	"flowvet/capture/capturetest"
	"flowvet/catalog"
)

// table reads the capture of a story.
func table(t *testing.T, story string) *capture.Table {
	t.Helper()
	const hosts = "host E1 10.0.0.11\nhost E2 10.0.0.12\nhost D 10.0.2.1\nhost Q 10.0.2.3\n"
	inputs, err := capture.Open([]string{"-"}, bytes.NewReader(capturetest.Must(t, hosts+story)))
	if err != nil {
		t.Fatal(err)
	}
	return inputs[0].Read(context.Background(), capture.Options{}).Table
}

func TestTwoCapturesHoldHalfEach(t *testing.T) {
	const ends = "Q:1433 > E1:40000/tcp SA\n1.02 E1:40000 > Q:1433/tcp A\n"
	whole := table(t, "1 E1:40000 > Q:1433/tcp S\n1.01 "+ends+"2 E1:40001 > D:53/udp 40 answer 90\n")
	near := func() *capture.Table {
		return table(t, "1 E1:40000 > Q:1433/tcp S\n1.02 E1:40000 > Q:1433/tcp A ack=1\n2 E1:40001 > D:53/udp 40\n3 E2:40000 > Q:1433/tcp S\n")
	}
	far := func() *capture.Table {
		return table(t, "1.01 Q:1433 > E1:40000/tcp SA seq=0\n2.01 D:53 > E1:40001/udp 90\n")
	}
	want := []string{
		"10.0.2.1 dns-server high: answers DNS (53/udp) of 10.0.0.11",
		"10.0.2.3 mssql-server high: answers SQL Server (1433/tcp) of 10.0.0.11",
	}
	for why, tables := range map[string][]*capture.Table{
		"one capture":      {whole},
		"the same twice":   {whole, whole},
		"client first":     {near(), far()},
		"server first":     {far(), near()},
		"more than halves": {near(), whole, far(), new(capture.Table)},
	} {
		if diff := cmp.Diff(want, inferred(Suggest(catalog.Default(), tables...))); diff != "" {
			t.Errorf("%s: -want +got\n%s", why, diff)
		}
	}
	for _, half := range []*capture.Table{near(), far()} {
		if got := inferred(Suggest(catalog.Default(), half, half)); len(got) != 0 {
			t.Errorf("one half: got %q", got)
		}
	}
	if n := newNetwork(nil).numbers(); n != 0 {
		t.Errorf("no tables make %d flows", n)
	}
}
