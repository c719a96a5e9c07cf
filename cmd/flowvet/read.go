package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"

	"flowvet/capture"
)

// open opens and checks every input before the first packet of any is read.
func (p *program) open(paths []string, quiet bool) ([]*capture.Input, error) {
	inputs, err := capture.Open(paths, p.patientStdin())
	if err != nil {
		return nil, usageError{err}
	}
	for _, in := range inputs {
		for _, note := range in.Notes {
			if !quiet {
				p.say("%s: %s", in.Name, note)
			}
		}
	}
	return inputs, nil
}

// names returns the names of the inputs, in their order.
func names(inputs []*capture.Input) []string {
	all := make([]string, len(inputs))
	for i, in := range inputs {
		all[i] = in.Name
	}
	return all
}

// read reads all inputs. The captures stand in the order of their names.
func (p *program) read(inputs []*capture.Input, options capture.Options, quiet bool) []*capture.Capture {
	captures, again := capture.Arrange(p.readAll(inputs, options, quiet))
	if !quiet {
		p.noteFlows(captures, again, options)
		p.noteFolded(captures)
	}
	return captures
}

// vouches reports whether a format is for those who must know later which files were judged.
func vouches(sinks []sink) bool {
	return slices.ContainsFunc(sinks, func(s sink) bool { return slices.Contains([]string{"html", "jsonl", "oscal"}, s.name) })
}

// sum says of each capture which file it was. What a flows file holds has its file elsewhere.
func (p *program) sum(inputs []*capture.Input, captures []*capture.Capture, quiet bool) {
	sums := make([]string, len(inputs))
	each(len(inputs), runtime.GOMAXPROCS(0), func(i int) {
		if inputs[i].Format == capture.FormatFlows {
			return
		}
		sum, err := inputs[i].Sum(p.ctx)
		if err != nil && !quiet {
			p.say("no sha256 of %s: %v", inputs[i].Name, err)
		}
		sums[i] = sum
	})
	for i, in := range inputs {
		for _, c := range captures {
			if in.Format != capture.FormatFlows && c.Name == in.Name {
				c.SHA256 = sums[i]
			}
		}
	}
}

// noteFolded says which captures had more flows than there was room for.
func (p *program) noteFolded(captures []*capture.Capture) {
	for _, c := range captures {
		if n := c.Table.Stats.FoldedFlows; n > 0 {
			p.say("%s: more flows than there is room for: %d are only summed up", c.Name, n)
		}
	}
}

// readAll reads as many inputs, or parts of large ones, at once as there are processors.
func (p *program) readAll(inputs []*capture.Input, options capture.Options, quiet bool) []*capture.Capture {
	bar := p.progress(inputs, quiet)
	defer bar.stop()
	workers := runtime.GOMAXPROCS(0)
	plan := capture.NewPlan(inputs, workers, options, bar.of)
	each(plan.Tasks(), workers, func(i int) { plan.Read(p.ctx, i) })
	return plan.Captures()
}

// noteFlows says what became of flows files: which captures they hold that were there already, and which of their packets
// cannot be left out any more.
func (p *program) noteFlows(captures, again []*capture.Capture, options capture.Options) {
	for _, c := range again {
		p.say("%s: recorded twice among the inputs, taken once", c.Name)
	}
	for _, c := range captures {
		if s := &c.Table.Stats; options.Dedup && s.Duplicates > s.Skipped[capture.IgnoredDuplicate] {
			p.say("%s: recorded without --dedup: its second copies stay", c.Name)
		}
	}
}

// each calls f for 0..n-1, at most workers of them at once. A panic in f becomes a panic of the caller's.
func each(n, workers int, f func(int)) {
	var wait sync.WaitGroup
	next := make(chan int)
	faults := make(chan string, min(n, workers))
	for range min(n, workers) {
		wait.Go(func() {
			defer func() {
				if fault := recover(); fault != nil {
					faults <- fmt.Sprintf("%v\n%s", fault, debug.Stack())
					for range next { // lets the sender finish
					}
				}
			}()
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wait.Wait()
	select {
	case fault := <-faults:
		panic(fault)
	default:
	}
}

// patientStdin returns standard input as a reader that an interrupt ends.
func (p *program) patientStdin() io.Reader {
	if p.stdin == nil {
		return nil
	}
	return capture.Patient(p.stdin, p.ctx.Done())
}
