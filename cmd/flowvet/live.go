package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"flowvet/capture"
	"flowvet/live"
	"flowvet/match"
)

const liveUsage = `Usage: flowvet live [FLAGS] -i INTERFACE

Judges what passes an interface (a mirror port, say) as check judges captures: again and again, everything since the start.
It sends nothing into that network and resolves no names. Capturing needs the right CAP_NET_RAW and no other.

On a terminal it shows what was met and what it still waits for, what is undocumented, and how long ago each heartbeat was;
elsewhere it logs. The report comes at the end: of an interrupt, of --autostop, of --until-met. SIGUSR1 prints one at once.
SIGHUP loads catalogue, inventory and exceptions anew; where they cannot be used, the old ones stay.

It judges every second, or as often as a tenth of the time allows: of a million conversations every half a minute, and alerts
come that much later. The cockpit says how old its judgement is, --metrics too. A report is always of everything that came.

Examples:
  flowvet live -D
      which interfaces are there?
  flowvet live -i span0 --inventory lab.yaml
      watch; an interrupt ends it with a report
  flowvet live -i span0 --inventory lab.yaml --during vmotion --until-met --timeout 10m
      a test: ends as soon as everything was seen that a vMotion needs, or after ten minutes with what is missing
  flowvet live -i span0 --inventory lab.yaml --interval 1h --report-dir reports --keep-for 720h
      for weeks: a report and the flows it rests on every hour, of the last 30 days
  flowvet live -i span0 --inventory lab.yaml --alert syslog+udp://10.0.0.9:514 --metrics 127.0.0.1:9477
      tell others
  flowvet check reports/latest/capture.flows --inventory lab.yaml --catalog ours.csv
      judge again what a report rests on

Exit status: as of check; 6 where the capture failed, or lost more than --max-loss.
`

// liveFlags is what the user asks of a live run, as written.
type liveFlags struct {
	check  checkFlags // those of a check that mean something here
	port   portFlags
	run    runFlags
	tell   tellFlags
	rights rightsFlags
	log    string
}

// bind registers the flags.
func (f *liveFlags) bind(flags *flagSet) {
	f.port.bind(flags)
	f.check.bindLive(flags)
	f.run.bind(flags)
	f.tell.bind(flags)
	f.rights.bind(flags)
	flags.StringVar(&f.log, "log-format", "auto", "log as `WORD`: text, json, or auto: text, or the cockpit on a terminal (default auto)")
	f.check.output.bind(flags)
	flags.BoolVarP(&f.check.quiet, "quiet", "q", false, "neither cockpit nor log, but for warnings and errors")
	flags.BoolP("numeric", "n", false, "accepted for habit's sake: names are never resolved")
}

// bindLive registers those flags of a check that say what a judgement rests on.
func (f *checkFlags) bindLive(flags *flagSet) {
	flags.StringVar(&f.inventory, "inventory", "", "who is who: `FILE` in YAML or CSV (default: inferred from the traffic)")
	bindCatalogs(flags, &f.catalogs, &f.noBuiltin)
	flags.StringVar(&f.exceptions, "exceptions", "", "accepted findings: `FILE` in YAML")
	flags.StringArrayVar(&f.during, "during", nil, "an `OPERATION` that runs, such as vmotion: its rows are required (repeatable)")
	f.scenario.bind(flags)
	f.filter.bind(flags, "judge")
	flags.StringArrayVar(&f.sees, "sees", nil, "a prefix, address or machine (`WHAT`) that the mirror port is known to see (repeatable)")
	flags.BoolVar(&f.dedup, "dedup", false, "drop second copies of a packet (a mirror port that sees both directions twice)")
	bindSegment(flags, &f.segment)
	flags.IntVar(&f.maxFlows, "max-flows", byMemory, "tell at most `N` flows apart, 0 for any number; of more, strangers' are only summed up (default: by the memory there is)")
	flags.StringVar(&f.failOn, "fail-on", "error", "exit status 1 from this `LEVEL` on: error, warning or none (default error)")
}

// live judges an interface.
func (p *program) live(args []string) (int, error) {
	var f liveFlags
	flags := newFlagSet("live", liveUsage)
	f.bind(flags)
	rest, err := flags.parse(p, args)
	if err != nil {
		return statusGood, err
	}
	switch {
	case f.port.list:
		return p.listInterfaces()
	case len(rest) > 0:
		return statusUsage, usagef("live: %q: it takes no argument; an interface is named with -i", rest[0])
	case f.port.name == "":
		return statusUsage, usagef("live: no interface named: -i NAME; flowvet live -D lists them")
	}
	return p.watch(&f)
}

// watch checks everything that the user gave, then opens the interface and runs the session.
func (p *program) watch(f *liveFlags) (int, error) {
	grounds, err := f.grounds(p)
	if err != nil {
		return statusUsage, err
	}
	sinks, err := f.check.output.sinks(p)
	if err != nil {
		return statusUsage, err
	}
	if err := f.check.output.prepare(sinks, f.check.files()); err != nil {
		return statusOutput, err
	}
	options, err := f.port.options(&f.check, grounds)
	if err != nil {
		return statusUsage, err
	}
	view, err := p.newView(f)
	if err != nil {
		return statusUsage, err
	}
	defer view.close()
	past, err := p.openPast(f, options.Options, view.log)
	if err != nil {
		return statusOutput, err
	}
	defer past.close()
	options.File = uint32(len(past.captures))
	grounds.Warnings = past.warnings

	told, err := p.newTeller(&f.tell, view)
	if err != nil {
		return statusUsage, err
	}
	defer told.close()
	if told.recorder != nil {
		options.Tap = told.recorder.Tap
	}
	source, err := capture.OpenLive(options)
	if err != nil {
		return statusLost, err
	}
	defer source.Close()
	if err := p.confine(f, past.archive, sinks, view.log); err != nil || f.rights.selfTest {
		return failedUnless(err), err
	}
	told.notifier.Ready()
	view.log.Info("capturing", "interface", f.port.name, "catalogue", grounds.Catalog.Sources[0].SHA256)
	out := &publisher{program: p, flags: f, sinks: sinks, archive: past.archive}
	session := &live.Session{
		Source: source, Earlier: past.captures, Grounds: grounds, Orders: orders(p.ctx),
		Load:     func() (match.Grounds, error) { return f.grounds(p) },
		Interval: f.run.interval, Stop: f.run.stop, Realert: f.tell.realert,
		Publish: out.publish, Checkpoint: out.checkpoint(), Watchers: append(view.watchers, told.watchers...), Log: view.log,
	}
	stopping := context.AfterFunc(p.ctx, told.notifier.Stopping)
	defer stopping()
	last, err := session.Run(p.ctx)
	view.close()
	return p.conclude(f, session, out, last, source.Counters(), err)
}

// failedUnless returns the status of a run that did not come to capturing.
func failedUnless(err error) int {
	if err != nil {
		return statusLost
	}
	return statusGood
}

// conclude says how the run ended and settles the exit status.
func (p *program) conclude(f *liveFlags, s *live.Session, out *publisher, last *live.Judgement, counters capture.Counters, failed error) (int, error) {
	status := statusGood
	if last != nil {
		status = worse(last.Result.Status, out.status)
	}
	if failed != nil {
		status = worse(status, statusLost)
	}
	part, lost := live.Lost(&counters)
	if !f.check.quiet {
		p.say("%d packets captured, %d dropped by the kernel, %d by the interface", counters.Taken, counters.KernelDropped, counters.InterfaceDropped)
	}
	if f.run.lossLimit >= 0 && part > f.run.lossLimit {
		p.say("%d packets were lost, %.3f %%: more than --max-loss %s", lost, 100*part, f.run.maxLoss)
		status = worse(status, statusLost)
	}
	if missed := s.Unwritten(); missed != "" {
		p.say("%s", missed)
		status = worse(status, statusOutput)
	} else if out.archive != nil {
		if err := out.archive.Forget(); err != nil {
			return worse(status, statusOutput), outputError{err}
		}
	}
	return status, failed
}

// grounds loads what the judgement rests on, at the start and at each reload. Its time is that of each judgement.
func (f *liveFlags) grounds(p *program) (match.Grounds, error) {
	if err := errors.Join(checkSegment(f.check.segment), p.limit(&f.check), f.run.check(&f.check)); err != nil {
		return match.Grounds{}, err
	}
	g, err := f.check.grounds()
	if err != nil {
		return g, err
	}
	g.AsOf = time.Time{}
	return g, f.check.output.checkMachine(g.Inventory)
}

// runFlags say how long a run goes on, and what it leaves behind.
type runFlags struct {
	interval time.Duration
	autostop []string
	untilMet bool
	timeout  time.Duration
	maxLoss  string
	folder   string
	formats  []string
	keep     int
	keepFor  time.Duration

	stop      live.Autostop // what autostop, untilMet and timeout mean; valid after check
	lossLimit float64       // what maxLoss means, 0 to 1; -1: not given; valid after check
}

// bind registers the flags.
func (f *runFlags) bind(flags *flagSet) {
	flags.DurationVar(&f.interval, "interval", 0, "write the report every `TIME`, such as 1h (default: at the end)")
	flags.StringArrayVarP(&f.autostop, "autostop", "a", nil, "end after `WHAT`: duration:SECONDS (or 10m) or packets:N, looked at once a second (repeatable)")
	flags.BoolVar(&f.untilMet, "until-met", false, "end as soon as everything that is required was met")
	flags.DurationVar(&f.timeout, "timeout", 0, "end after this `TIME` where --until-met was not reached, such as 10m")
	flags.StringVar(&f.maxLoss, "max-loss", "", "exit status 6 where more than `PERCENT` of the packets were lost, such as 0.1% (default: any loss is said, and proves nothing absent)")
	flags.StringVar(&f.folder, "report-dir", "", "keep every report in `FOLDER`, with the flows it rests on, and a link called latest")
	flags.StringArrayVar(&f.formats, "report-format", []string{"text", "json"}, "the `F` of the reports there, as of --format (repeatable, default text and json)")
	flags.IntVar(&f.keep, "keep", 0, "keep at most `N` reports there (default: all)")
	flags.DurationVar(&f.keepFor, "keep-for", 0, "keep reports there for this `TIME`, such as 720h (default: for ever)")
}

// check reads the flags that are more than a word.
func (f *runFlags) check(judged *checkFlags) (err error) {
	f.stop = live.Autostop{UntilMet: f.untilMet, Timeout: f.timeout}
	f.lossLimit = -1
	switch {
	case f.interval != 0 && f.interval < time.Second:
		return usagef("--interval: %v: a second at least", f.interval)
	case f.untilMet && judged.inventory == "":
		return usagef("--until-met needs --inventory: roles that are inferred pass nothing")
	case f.timeout != 0 && !f.untilMet:
		return usagef("--timeout ends a wait: it needs --until-met; --autostop duration:TIME ends any run")
	case f.timeout < 0 || f.keepFor < 0 || f.keep < 0:
		return usagef("--timeout, --keep and --keep-for: not below 0")
	case f.folder == "" && (f.keep != 0 || f.keepFor != 0):
		return usagef("--keep and --keep-for are about the reports in --report-dir")
	case f.folder != "" && (judged.output.anonymize || judged.output.anonymizeKey != ""):
		return usagef("--report-dir keeps flows with their addresses: it does not go with --anonymize")
	}
	for _, text := range f.autostop {
		if err := f.stopAfter(text); err != nil {
			return err
		}
	}
	if f.maxLoss != "" {
		f.lossLimit, err = percent(f.maxLoss)
	}
	return err
}

// stopAfter reads one --autostop, in dumpcap's words.
func (f *runFlags) stopAfter(text string) error {
	what, value, _ := strings.Cut(text, ":")
	var err error
	switch what {
	case "duration":
		if f.stop.Duration, err = time.ParseDuration(value); err != nil {
			f.stop.Duration, err = time.ParseDuration(value + "s")
		}
		if err != nil || f.stop.Duration <= 0 {
			return usagef("--autostop %s: a number of seconds, or a time such as 10m", text)
		}
	case "packets":
		if _, err = fmt.Sscanf(value+" ", "%d ", &f.stop.Packets); err != nil || f.stop.Packets == 0 {
			return usagef("--autostop %s: a number of packets", text)
		}
	default:
		return usagef("--autostop %s: duration:TIME or packets:N%s", text, didYouMean(what, []string{"duration", "packets"}))
	}
	return nil
}

// percent reads "0.1%" or "0.1" as a part, 0 to 1.
func percent(text string) (float64, error) {
	var n float64
	if _, err := fmt.Sscanf(strings.TrimSuffix(text, "%")+" ", "%g ", &n); err != nil || n < 0 || n > 100 {
		return 0, usagef("--max-loss: %q: a part of a hundred, such as 0.1%%", text)
	}
	return n / 100, nil
}

// view is what a person sees of a run while it goes on.
type view struct {
	log      *slog.Logger
	screen   *live.Screen // nil where there is none
	watchers []live.Watcher
}

// newView opens the cockpit on a terminal, a log elsewhere.
func (p *program) newView(f *liveFlags) (*view, error) {
	if err := oneOf("log-format", f.log, "auto", "text", "json"); err != nil {
		return nil, err
	}
	options := &slog.HandlerOptions{}
	if f.check.quiet {
		options.Level = slog.LevelWarn
	}
	v := &view{}
	switch {
	case f.log == "json":
		v.log = slog.New(slog.NewJSONHandler(p.stderr, options))
	case f.log == "auto" && p.status.is && !f.check.quiet && os.Getenv("TERM") != "dumb":
		v.screen = live.NewScreen(p.stderr, p.sizeOfStatus)
		v.watchers = append(v.watchers, v.screen)
		v.log = slog.New(slog.NewTextHandler(v.screen, &slog.HandlerOptions{ReplaceAttr: shortTime}))
	default:
		v.log = slog.New(slog.NewTextHandler(p.stderr, options))
	}
	v.watchers = append(v.watchers, &live.Journal{Log: v.log})
	return v, nil
}

// messages is where a line for a person goes: above the cockpit, where there is one.
func (v *view) messages(p *program) io.Writer {
	if v.screen != nil {
		return v.screen
	}
	return p.stderr
}

// shortTime leaves away of a log line what a person at a terminal knows.
func shortTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		a.Value = slog.StringValue(a.Value.Time().Format(time.TimeOnly))
	}
	return a
}

// close erases the cockpit.
func (v *view) close() {
	if v.screen != nil {
		v.screen.Close()
	}
}

// sizeOfStatus returns the size of the terminal that standard error is, as it is now.
func (p *program) sizeOfStatus() (width, height int) {
	if file, ok := p.stderr.(*os.File); ok {
		if width, height, err := term.GetSize(int(file.Fd())); err == nil {
			return width, height
		}
	}
	return p.status.width, 0
}

// listInterfaces prints the interfaces of this machine.
func (p *program) listInterfaces() (int, error) {
	devices, err := capture.Interfaces()
	if err != nil {
		return statusLost, err
	}
	for _, d := range devices {
		fmt.Fprintf(p.stdout, "%-16s %-14s %s\n", shown(d.Name), d.State, addressesOf(&d))
	}
	return statusGood, nil
}

// addressesOf says what else is known of an interface.
func addressesOf(d *capture.Device) string {
	words := make([]string, 0, len(d.Addresses)+2)
	for _, a := range d.Addresses {
		words = append(words, netip.Prefix.String(a))
	}
	if d.Text != "" {
		words = append(words, "("+shown(d.Text)+")")
	}
	if !d.Supported {
		words = append(words, "(its frames cannot be decoded)")
	}
	return strings.Join(words, " ")
}
