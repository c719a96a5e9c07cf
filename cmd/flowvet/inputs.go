package main

import (
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"flowvet/capture"
)

// inputFlags is how captures are to be read, as the user wrote it.
type inputFlags struct {
	shifts      []string
	maxExpanded string
	limit       int64 // what maxExpanded means; 0: not given; valid after apply
	exports     []uint
	ports       []uint16 // the same; valid after apply
}

// bind registers the flags.
func (f *inputFlags) bind(flags *flagSet) {
	flags.StringArrayVar(&f.shifts, "shift", nil, "correct the clock of one capture: `FILE=+1.25s`, any Go duration (repeatable)")
	flags.UintSliceVar(&f.exports, "exports", nil, "the captures hold NetFlow or IPFIX export datagrams to these UDP `PORTS`, such as 2055,4739: judge what they tell")
	flags.StringVar(&f.maxExpanded, "max-expanded", "", "the `SIZE` a compressed capture may expand to, such as 64GiB (default 1TiB, and 1,000 times)")
}

// refuse refuses a filter of frames together with --exports: it would keep out datagrams, and not what they tell of.
func (f *inputFlags) refuse(filter *filterFlags) error {
	if len(f.exports) > 0 && filter.given() {
		return usagef("--exports: flow records are no frames to filter: leave out -f")
	}
	return nil
}

// apply checks what was written, and corrects the clocks of the inputs that are named.
func (f *inputFlags) apply(inputs []*capture.Input) error {
	if f.maxExpanded != "" {
		var ok bool
		if f.limit, ok = parseSize(f.maxExpanded); !ok {
			return usagef("--max-expanded: %q is no size: write bytes, or a number with KiB, MiB, GiB or TiB", f.maxExpanded)
		}
	}
	for _, port := range f.exports {
		if port == 0 || port > math.MaxUint16 {
			return usagef("--exports: %d is no port", port)
		}
		f.ports = append(f.ports, uint16(port))
	}
	return f.shift(inputs)
}

// parseSize reads a number of bytes, at least one.
func parseSize(text string) (n int64, ok bool) {
	number := strings.TrimRight(text, "KMGTiB")
	shift, known := map[string]int{"": 0, "KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40}[text[len(number):]]
	n, err := strconv.ParseInt(number, 10, 64)
	return n << shift, known && err == nil && n > 0 && n <= math.MaxInt64>>shift
}

// maxShift bounds a clock's correction: 100 years, so that no time leaves the calendar.
const maxShift = 100 * 365 * 24 * time.Hour

// shift corrects the clocks of the inputs that are named. A name is a path as it was given or found, or its last part
// where no other input has the same.
func (f *inputFlags) shift(inputs []*capture.Input) error {
	shifted := map[*capture.Input]bool{}
	for _, text := range f.shifts {
		at := strings.LastIndexByte(text, '=')
		if at <= 0 {
			return usagef("--shift: %q: write FILE=+1.25s", text)
		}
		by, err := time.ParseDuration(text[at+1:])
		if err != nil || by.Abs() > maxShift {
			return usagef("--shift: %q is no duration of at most 100 years: write +1.25s, -30m or 2h", text[at+1:])
		}
		in, err := inputNamed(inputs, text[:at])
		switch {
		case err != nil:
			return err
		case shifted[in]:
			return usagef("--shift: %s is shifted twice", in.Name)
		case in.Format == capture.FormatFlows:
			return usagef("--shift: %s is a flows file: shift the captures when they are recorded", in.Name)
		}
		in.Shift, shifted[in] = by, true
	}
	return nil
}

// inputNamed finds the one input with that name.
func inputNamed(inputs []*capture.Input, name string) (*capture.Input, error) {
	var byPath, byBase []*capture.Input
	known := make([]string, len(inputs))
	for i, in := range inputs {
		known[i] = in.Name
		switch {
		case in.Name == name:
			byPath = append(byPath, in)
		case filepath.Base(in.Name) == name:
			byBase = append(byBase, in)
		}
	}
	switch {
	case len(byPath) == 1:
		return byPath[0], nil
	case len(byBase) == 1:
		return byBase[0], nil
	case len(byBase) > 1:
		return nil, usagef("--shift: %q is the name of %d captures: give the path", name, len(byBase))
	}
	return nil, usagef("--shift: %q is none of the captures%s", name, didYouMean(name, known))
}
