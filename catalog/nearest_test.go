package catalog

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	roles := []string{"vcenter-server", "vco-server", "esxi", "esx-classic", "dns-server", "ntp-server"}
	for _, row := range []struct{ what, word, want string }{
		{"the word itself", "esxi", "esxi"},
		{"another case", "ESXI", "esxi"},
		{"two letters swapped", "vcenter-sevrer", "vcenter-server"},
		{"a letter left out", "dn-server", "dns-server"},
		{"a beginning", "vcenter", "vcenter-server"},
		{"a word with more around it", "my-esx-classic-host", "esx-classic"},
		{"two candidates as near, by the alphabet", "dtp-server", "ntp-server"},
		{"nothing near", "kubernetes", ""},
		{"nothing", "", ""},
		{"far too much", strings.Repeat("esxi", 1000), ""},
	} {
		if got := Nearest(row.word, roles); got != row.want {
			t.Errorf("%s: Nearest(%.20q): got %q, want %q", row.what, row.word, got, row.want)
		}
	}
	if got := Nearest("esxi", nil); got != "" {
		t.Errorf("among nothing: got %q", got)
	}
}

func TestDistance(t *testing.T) {
	for _, row := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "axc", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3}} {
		if got := distance([]rune(row.a), []rune(row.b)); got != row.want {
			t.Errorf("%q to %q: got %d, want %d", row.a, row.b, got, row.want)
		}
	}
}
