// Package match holds conversations against the catalogue: what is documented, what is not, and what was expected but
// absent. [Evaluate] is its one function: the same captures, in any order, make the same [Result].
package match

import (
	"time"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
)

// Grounds is what a judgement rests on besides the captures.
type Grounds struct {
	Catalog       *catalog.Catalog
	Inventory     *inventory.Inventory
	Exceptions    []*Exception
	AsOf          time.Time
	During        []string // operations whose during: rows are required
	Window        Window   // when the operations ran; zero: the whole of each capture
	CaptureFilter string   // the filter the captures were made with, as the user says
	FailOn        Level    // LevelError, LevelWarning; LevelNone: never fail on findings
	Sees          []string // prefixes and machines that every capture sees, as the user says
}

// Evaluate judges every conversation and every expectation.
func Evaluate(g Grounds, captures []*capture.Capture) (*Result, error) { return nil, nil }
