package catalog

import (
	"bytes"
	_ "embed" // for the data
	"encoding/csv"
	"slices"
	"strings"
)

//go:embed controls.csv
var controlsFile []byte

// Control is one line of controls.csv: a requirement of a standard that captured traffic says something about. Its words are
// ours, not the standard's.
type Control struct {
	Framework string // pci, nist, cis, stig
	Name      string // the standard and the number in it: "PCI DSS 4.0.1 1.2.5"
	Title     string // what it asks for
	Measures  []string
	Shows     string // what traffic can say of it
	Cannot    string // and what it cannot
}

// Controls returns the controls that reports can be grouped by, in the order of the file.
func Controls() []Control {
	lines, err := csv.NewReader(bytes.NewReader(controlsFile)).ReadAll()
	if err != nil {
		panic("catalog: controls.csv: " + err.Error()) // it is embedded, and a test reads it
	}
	all := make([]Control, 0, len(lines))
	for _, l := range lines[1:] {
		all = append(all, Control{l[0], l[1], l[2], strings.Fields(l[3]), l[4], l[5]})
	}
	return all
}

// Frameworks returns the standards that [Controls] are of.
func Frameworks() []string {
	var all []string
	for _, c := range Controls() {
		if !slices.Contains(all, c.Framework) {
			all = append(all, c.Framework)
		}
	}
	return all
}
