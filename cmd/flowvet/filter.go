package main

import (
	"slices"

	"flowvet/capture"
	"flowvet/capture/filter"
)

// filterFlags say which frames are judged or recorded.
type filterFlags struct {
	expression string
	dump       string
}

// bind registers the flags; verb is what is done to the frames.
func (f *filterFlags) bind(flags *flagSet, verb string) {
	flags.StringVarP(&f.expression, "filter", "f", "", verb+" only what the pcap-filter `EXPR` keeps, such as \"host 10.0.0.5 and tcp\"")
	flags.StringVarP(&f.dump, "filter-dump", "F", "", "the same by a program: `FILE` holds what tcpdump -ddd prints")
}

// given reports whether there is a filter.
func (f *filterFlags) given() bool { return f.expression != "" || f.dump != "" }

// load reads the filter. It is nil where none is given.
func (f *filterFlags) load() (*filter.Filter, error) {
	switch {
	case f.expression != "" && f.dump != "":
		return nil, usagef("-f and -F: give one filter")
	case f.expression != "":
		parsed, err := filter.Parse(f.expression)
		if err != nil {
			return nil, usagef("-f: %v", err)
		}
		return parsed, nil
	case f.dump == "":
		return nil, nil
	}
	data, err := readAtMost(f.dump, int64(filter.MaxDump)+1)
	if err != nil {
		return nil, usageError{err}
	}
	parsed, err := filter.ParseDump(string(data))
	if err != nil {
		return nil, usagef("%s: %v", f.dump, err)
	}
	return parsed, nil
}

// keeper returns the filter as capture.Options wants it: nil for none. Frames of a link type that nothing here can decode
// are kept, to be counted as such. It may be called by any number of readers at once.
func keeper(f *filter.Filter) (func(*capture.Frame) bool, error) {
	if f == nil {
		return nil, nil
	}
	programs := make([]*filter.Program, slices.Max(filter.Links())+1)
	for _, link := range filter.Links() {
		p, err := f.Compile(link)
		if err != nil {
			return nil, usageError{err}
		}
		programs[link] = p
	}
	return func(frame *capture.Frame) bool {
		if int(frame.Link) >= len(programs) || programs[frame.Link] == nil {
			return true
		}
		return programs[frame.Link].Keeps(frame.Data, frame.WireLen)
	}, nil
}

// check refuses flows files, which hold no frames any more.
func (f *filterFlags) check(inputs []*capture.Input) error {
	if !f.given() {
		return nil
	}
	for _, in := range inputs {
		if in.Format == capture.FormatFlows {
			return usagef("%s: a flows file holds no frames to filter: give the capture it was recorded from", in.Name)
		}
		if in.FlowRecords() {
			return usagef("%s: flow records are no frames to filter: leave out -f, or filter the log before", in.Name)
		}
	}
	return nil
}
