package openings

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"flowvet/match"
	"flowvet/rules/firewall"
)

// twice is a file of two hosts with the same rule sets.
func twice(t *testing.T, sets ...string) *firewall.File {
	t.Helper()
	f := hostFile(t, "E1", "", append(asItShouldBe, sets...))
	f.Hosts = append(f.Hosts, hostFile(t, "E2", "", append(asItShouldBe, sets...)).Hosts...)
	return f
}

func TestHostsThatHaveTheSameAreOneEntry(t *testing.T) {
	c := compared(t, twice(t, "telnet: in 23/tcp"), match.Grounds{}, minute)
	var text bytes.Buffer
	if err := Text(&text, c, Options{Width: 100, Ends: "exit 1"}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"OPEN, UNDOCUMENTED  1\n\n  error    in 23/tcp at E1, E2\n",
		"OPEN, NOT SEEN IN USE  4; the captures need not have shown it\n\n  -        in 23/tcp at E1, E2\n",
		"2 hosts compared",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, &text)
		}
	}
}

func TestHostileNamesAreMadeVisible(t *testing.T) {
	f := hostFile(t, "E1", "", append(asItShouldBe, "telnet: in 23/tcp"))
	last := len(f.Hosts[0].RuleSets) - 1
	f.Hosts[0].RuleSets[last].Key = "\x1b]0;owned\a\u202e"
	f.Source = "vc\x1b[2J"
	f.Hosts = append(f.Hosts, firewall.Host{Name: "E9\r\n  error", Incoming: firewall.Blocked, Outgoing: firewall.Blocked})
	c := compared(t, f, match.Grounds{}, minute)
	var text, document bytes.Buffer
	if err := Text(&text, c, Options{Width: 100}); err != nil {
		t.Fatal(err)
	}
	if err := JSON(&document, c, "", 1, ""); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{text.String(), document.String()} {
		if strings.ContainsAny(out, "\x1b\a\r\u202e") {
			t.Errorf("it holds what a terminal obeys:\n%q", out)
		}
	}
	if !json.Valid(document.Bytes()) {
		t.Error("the document is no JSON")
	}
}

func TestTheSameInputMakesTheSameBytes(t *testing.T) {
	var first string
	for range 5 {
		var text bytes.Buffer
		c := compared(t, twice(t, "telnet: in 23/tcp", "web for 10.0.9.0/24 10.0.0.5: in 8080/tcp"), match.Grounds{Sees: []string{"E2"}}, minute)
		if err := Text(&text, c, Options{Width: 80, Verbose: true}); err != nil {
			t.Fatal(err)
		}
		_, findings, _ := strings.Cut(text.String(), "USED THOUGH CLOSED") // the catalogue above lies in another folder each time
		if first == "" {
			first = findings
		}
		if findings != first {
			t.Fatalf("first\n%s\nthen\n%s", first, findings)
		}
	}
}

func TestTwoHostsThatAreOneMachineAreAMistake(t *testing.T) {
	f := hostFile(t, "E1", "", nil)
	again := f.Hosts[0]
	again.Name = "other"
	again.Addresses = addresses("10.0.0.11")
	f.Hosts = append(f.Hosts, again)
	c, v := grounds(t)
	if _, err := New(f, v, c); err == nil || !strings.Contains(err.Error(), `hosts "E1" and "other" are one machine`) {
		t.Errorf("%v", err)
	}
}
