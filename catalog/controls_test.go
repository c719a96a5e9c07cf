package catalog

import (
	"slices"
	"testing"
)

func TestEveryControlIsWhole(t *testing.T) {
	measures := []string{
		"conversations", "insecure", "expectations", "scenarios", "segments", "segments:vmotion", "segments:mgmt", "segments:storage", "blocked", "captures",
	}
	names := map[string]bool{}
	for _, c := range Controls() {
		if names[c.Name] || c.Title == "" || c.Shows == "" || c.Cannot == "" || len(c.Measures) == 0 {
			t.Errorf("%+v is listed twice, or says too little", c)
		}
		names[c.Name] = true
		for _, m := range c.Measures {
			if !slices.Contains(measures, m) {
				t.Errorf("%s: measure %q is not known", c.Name, m)
			}
		}
	}
	if got, want := Frameworks(), []string{"pci", "nist", "cis", "stig"}; !slices.Equal(got, want) || len(names) != 11 {
		t.Errorf("%d controls of %v, want 11 of %v", len(names), got, want)
	}
}
