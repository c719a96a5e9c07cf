package match

import (
	"fmt"
	"strings"
	"testing"

	"flowvet/capture"
	"flowvet/capture/filter"
	"flowvet/catalog"
)

// TestEveryRecordedFilterCounts: a file may record one for each interface, and the traffic could have come in at any.
func TestEveryRecordedFilterCounts(t *testing.T) {
	service := filter.Flow{DstPort: 8000, Proto: uint8(capture.TCP)}
	on := func(filters ...string) (stopped []string) {
		c := &capture.Capture{Name: "x.pcapng", Table: &capture.Table{}}
		for _, text := range filters {
			c.Interfaces = append(c.Interfaces, capture.Interface{Link: capture.LinkEthernet, Filter: text})
		}
		p := &point{info: captureInfo(c)}
		for _, s := range sieves(c, &Grounds{}) {
			if r, bad := s.stops(p, []filter.Flow{service}, nil, nil); bad {
				stopped = append(stopped, r.Detail)
			}
		}
		return stopped
	}
	if got := on("tcp", "port 8000", "tcp", ""); got != nil {
		t.Errorf("all let it through, but: %q", got)
	}
	got := on("tcp", "udp")
	if len(got) != 1 || !strings.Contains(got[0], `"udp", which keeps 8000/tcp out`) {
		t.Errorf("one of two keeps it out: %q", got)
	}
	var many []string
	for i := range 10_000 {
		many = append(many, fmt.Sprintf("not port %d", 10_000+i))
	}
	got = on(many...)
	if len(got) != maxSieves+1 || !strings.Contains(got[maxSieves], "records more than 8 filters") {
		t.Errorf("%d of 10,000 filters looked into; want %d, and to be told: %.200q", len(got), maxSieves, got)
	}
}

func TestRowsAskForTheirFlows(t *testing.T) {
	for _, tt := range []struct {
		row  catalog.Row
		want string
	}{
		{catalog.Row{Transport: catalog.TCP, Ports: catalog.Ports{Lo: 902, Hi: 902}}, "*>902/tcp"},
		{catalog.Row{Transport: catalog.UDP, Ports: catalog.Ports{Lo: 902, Hi: 902}, Listener: catalog.Source}, "902>*/udp"},
		{catalog.Row{Transport: catalog.TCP, Ports: catalog.Ports{Lo: 902, Hi: 902}, Listener: catalog.Either}, "*>902/tcp 902>*/tcp"},
		{catalog.Row{Transport: catalog.TCP | catalog.UDP, Ports: catalog.Ports{Lo: 53, Hi: 53}}, "*>53/tcp *>53/udp"},
		{catalog.Row{Transport: catalog.TCP, Ports: catalog.Ports{Lo: 1024, Hi: 65535}}, "*>*/tcp"},
		{catalog.Row{
			Transport: catalog.TCP, Ports: catalog.Ports{Lo: 9084, Hi: 9084}, Listener: catalog.Source,
			Alt: []catalog.Alt{{Exchange: true}, {Transport: catalog.UDP}},
		}, "*>9084/tcp 9084>*/tcp *>9084/udp 9084>*/udp"},
	} {
		var got []string
		port := func(p uint16) string {
			if p == 0 {
				return "*"
			}
			return fmt.Sprint(p)
		}
		for _, f := range rowFlows(&tt.row) {
			got = append(got, fmt.Sprintf("%s>%s/%s", port(f.SrcPort), port(f.DstPort), capture.Proto(f.Proto)))
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%+v: flows %s, want %s", tt.row, got, tt.want)
		}
	}
}
