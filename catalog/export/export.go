// Package export writes rows of a catalogue for others: spreadsheets (CSV) and programs (JSON), which are catalogue files
// again; people (Markdown); networks that admit what a device states (MUD, RFC 8520); compliance tools (an OSCAL
// component definition).
//
// The same rows and options give the same bytes.
package export

import (
	"fmt"
	"io"
	"slices"
	"time"

	"flowvet/catalog"
)

// Options are what some formats need beside the rows.
type Options struct {
	Version string    // of flowvet
	AsOf    time.Time // when the document was made
	// Device is the role that a MUD file is about; MUDURL is where that file will be published (https).
	Device catalog.Role
	MUDURL string
}

// format writes rows of a catalogue.
type format struct {
	name  string
	write func(io.Writer, *catalog.Catalog, []*catalog.Row, Options) error
}

func formats() []format {
	return []format{{"csv", CSV}, {"json", JSON}, {"markdown", Markdown}, {"mud", MUD}, {"oscal", OSCAL}}
}

// Names returns the names of the formats.
func Names() []string {
	var names []string
	for _, f := range formats() {
		names = append(names, f.name)
	}
	return names
}

// Write writes rows in the format of that name. An [OptionError] says which option a format lacks.
func Write(w io.Writer, name string, c *catalog.Catalog, rows []*catalog.Row, o Options) error {
	i := slices.IndexFunc(formats(), func(f format) bool { return f.name == name })
	if i < 0 {
		return fmt.Errorf("%s is no format", name)
	}
	return formats()[i].write(w, c, rows, o)
}

// OptionError is an option that a format needs and does not have.
type OptionError struct{ Text string }

// Error returns what is missing.
func (e OptionError) Error() string { return e.Text }
