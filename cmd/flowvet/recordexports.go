package main

import (
	"context"
	"time"

	"flowvet/capture"
	"flowvet/report"
)

// listenFlags say where export datagrams are to be listened for, and for how long.
type listenFlags struct {
	at       string
	duration time.Duration
}

// bind registers the flags.
func (f *listenFlags) bind(flags *flagSet) {
	flags.StringVar(&f.at, "ipfix", "", "listen for export datagrams of IPFIX, NetFlow 9 and NetFlow 5 at `HOST:PORT` (UDP), such as :4739, until an interrupt")
	flags.DurationVar(&f.duration, "duration", 0, "end --ipfix after this `TIME`, such as 1h")
}

// check refuses what does not go together with listening.
func (f *listenFlags) check(r *recordFlags, paths []string) error {
	switch {
	case f.at == "" && f.duration != 0:
		return usagef("--duration ends --ipfix: say where to listen, such as --ipfix :4739")
	case f.at == "":
		return nil
	case len(paths) > 0:
		return usagef("--ipfix listens, and reads no captures: record them into another file and merge the two: flowvet record A B -o ALL")
	case r.filter.given():
		return usagef("--ipfix: flow records are no frames to filter: leave out -f")
	case len(r.inputs.exports) > 0:
		return usagef("--exports reads export datagrams out of captures, --ipfix listens for them: give one")
	case f.duration < 0:
		return usagef("--duration: %s: a time to come", f.duration)
	}
	return nil
}

// listen takes export datagrams until an interrupt or the end of the time, and writes what they told.
func (p *program) listen(f *recordFlags) (int, error) {
	if err := f.prepare(nil); err != nil {
		return statusOutput, err
	}
	socket, err := capture.ListenExports(f.listen.at)
	if err != nil {
		return statusUsage, usagef("--ipfix: %v", err)
	}
	defer socket.Close()
	if !f.quiet {
		p.say("listening at %s for IPFIX, NetFlow 9 and NetFlow 5; an interrupt ends it", socket.Addr())
	}
	ctx, cancel := p.ctx, context.CancelFunc(func() {})
	if f.listen.duration > 0 {
		ctx, cancel = context.WithTimeout(ctx, f.listen.duration)
	}
	defer cancel()
	c, err := socket.Read(ctx, capture.Options{MaxFlows: defaultMaxFlows(), Segments: f.segment == byVLAN})
	if err != nil {
		return statusPartial, err
	}
	if !f.quiet {
		p.say("%d export datagrams; %s", c.Table.Stats.Records.Messages, report.RecordBalance(&c.Table.Stats.Records))
		p.noteFolded([]*capture.Capture{c})
	}
	return p.writeFlows([]*capture.Capture{c}, f.output)
}
