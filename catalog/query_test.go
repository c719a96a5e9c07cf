package catalog

import (
	"strings"
	"testing"
)

func TestTheCatalogueAnswersInWords(t *testing.T) {
	c := Default()
	for _, row := range []struct{ question, want string }{
		{"R100", "R100"},
		{"r100 R060", "R060 R100"},
		{"8100", "R114 R171 R288 R333 R334"},
		{"8100/udp", "R114 R171"},
		{"8100 udp", "R114 R171"},
		{"902/udp always", "R060 R100 R129 R157 R253 R285"},
		{"ESX 4.x 902", "R098 R099 R100"},
		{"VirtualCenter 2.5 903", "R254 R255"},
		{"View 4.5 3389", "R306 R313 R333 R334 R335 R336"},
		{"View 4.x 3389", "R313"},
		{"View 443/tcp thin-client", "R326 R327 R329"},
		{"VUM 443", "R229 R230 R231"},
		{"ESX 4 903", "R101"},
		{"heartbeat VUM", ""},
		{"oracle-server 1526", "R210"},
		{"NTP Time Server", "R043 R083 R120 R147"},
		{"vmotion-direction ESXi 3.x", "R138 R139"},
		{"esxi 161", "R148"},
		{"postgres", "R196"},
	} {
		q, err := c.ParseQuery(strings.Fields(row.question))
		if err != nil {
			t.Errorf("%s: %v", row.question, err)
			continue
		}
		var ids []string
		for _, r := range c.Find(q) {
			ids = append(ids, r.ID)
		}
		if got := strings.Join(ids, " "); got != row.want {
			t.Errorf("%s: got %s, want %s", row.question, got, row.want)
		}
	}
	if got := len(c.Find(Query{})); got != len(c.Rows) {
		t.Errorf("no question: got %d rows, want all", got)
	}
	if got := len(c.Find(Query{Product: "no such"})); got != 0 {
		t.Errorf("an unknown product: got %d rows", got)
	}
}

func TestAQuestionThatMeansNothingIsRefused(t *testing.T) {
	for _, row := range []struct{ question, want string }{
		{"70000", `"70000": a port is 1-65535`},
		{"902/sctp", `"902/sctp": a transport is TCP, UDP or TCP/UDP`},
		{"902 903", `"903": one port a question`},
		{"vcenter-sevrer", `unknown port, product, role or row "vcenter-sevrer": did you mean "vcenter-server"?`},
		{"kubernetes", `unknown port, product, role or row "kubernetes"`},
	} {
		_, err := Default().ParseQuery(strings.Fields(row.question))
		if err == nil || err.Error() != row.want {
			t.Errorf("%s: got %v, want %s", row.question, err, row.want)
		}
	}
}

func TestRowsAreSentences(t *testing.T) {
	for _, row := range []struct{ id, want string }{
		{"R100", "ESX 4.x R100: ESX/ESXi Host -> vCenter 4 Server, 902/udp, heartbeat of a managed host"},
		{"R236", "Update Manager R236: ESX/ESXi host -> Update Manager Server, 9084/tcp, host fetches patches from the web server"},
		{"R114", "ESX 4.x R114: ESX/ESXi 4 Host <-> ESX/ESXi 4.x Host, 8100/tcp+udp, Fault Tolerance log between the paired hosts"},
	} {
		if got := Default().Row(row.id).Sentence(); got != row.want {
			t.Errorf("got  %s\nwant %s", got, row.want)
		}
	}
}

func TestClassWordsAreListed(t *testing.T) {
	c := Default()
	for kind, want := range map[ClassKind]string{
		Internal: "orchestrator vcenter-2.5.x vcenter-4.x",
		Always:   "",
	} {
		if got := strings.Join(c.ClassWords(kind), " "); got != want {
			t.Errorf("%s: got %s, want %s", Class{Kind: kind}, got, want)
		}
	}
	if got := c.ClassWords(During); len(got) < 20 || got[0] != "admin-session" {
		t.Errorf("operations: got %v", got)
	}
}
