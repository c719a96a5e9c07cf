package main

import "time"

// tellFlags say who else is told of a live run.
type tellFlags struct {
	realert time.Duration
}

// bind registers the flags.
func (f *tellFlags) bind(flags *flagSet) {
	flags.DurationVar(&f.realert, "realert", 24*time.Hour, "tell of an undocumented conversation again when it returns after this `TIME` of silence")
}
