package capture

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSumIsThatOfTheFileAsItWasOpened(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.pcap")
	data := pcapOf(40, 3)
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	inputs, err := Open([]string{name}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, append(data, "more of it"...), 0o600); err != nil { // it grows meanwhile
		t.Fatal(err)
	}
	want := fmt.Sprintf("%x", sha256.Sum256(data))
	if got, err := inputs[0].Sum(t.Context()); got != want || err != nil {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
	if err := os.Truncate(name, 100); err != nil {
		t.Fatal(err)
	}
	if got, err := inputs[0].Sum(t.Context()); err == nil || !strings.Contains(err.Error(), "it shrank") {
		t.Errorf("of a file that shrank: got %s, %v", got, err)
	}
}

func TestStandardInputHasNoSum(t *testing.T) {
	inputs, err := Open([]string{"-"}, strings.NewReader(string(pcapOf(1, 1))))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := inputs[0].Sum(t.Context()); got != "" || err != nil {
		t.Errorf("got %q, %v; want none", got, err)
	}
}
