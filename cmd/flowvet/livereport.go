package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"flowvet/capture"
	"flowvet/live"
	"flowvet/report"
)

// flowsName is the file of a kept report that check judges again.
const flowsName = "capture.flows"

// publisher writes the reports of a live run.
type publisher struct {
	program *program
	flags   *liveFlags
	sinks   []sink
	archive *live.Archive // nil where no reports are kept
	status  int           // of standard output: it cannot be written again
}

// publish writes a report wherever it belongs: to the archive, to the files of --format, and to standard output when
// somebody waits for it there. What failed is tried again, with all of it.
func (w *publisher) publish(j *live.Judgement) error {
	var errs []error
	if w.archive != nil {
		_, err := w.archive.Add(j.Standing.At, w.files(j))
		errs = append(errs, err)
	}
	result := w.flags.check.output.hide(j.Result, w.sinks)
	for _, s := range w.sinks {
		switch {
		case s.path != "":
			errs = append(errs, w.program.writeOne(result, s))
		case j.Cause != live.CauseInterval && w.status == statusGood:
			if err := w.program.writeOne(result, s); err != nil {
				w.status = statusOutput
				if !closedPipe(err) {
					w.program.say("%v", err)
				}
			}
		}
	}
	return errors.Join(errs...)
}

// files are those of a report in the archive: one for each format, and the flows.
func (w *publisher) files(j *live.Judgement) []live.File {
	files := []live.File{{Name: flowsName, Write: flowsOf(j.Captures)}}
	for _, name := range w.flags.run.formats {
		format, _ := report.ByName(name) // checked when the archive was opened
		files = append(files, live.File{Name: fileOf(name), Write: func(to io.Writer) error {
			return format(to, j.Result, report.Options{Version: release, Limit: report.DefaultLimit})
		}})
	}
	return files
}

// fileOf names the file of a format in the archive.
func fileOf(format string) string {
	endings := map[string]string{"text": "txt", "markdown": "md", "junit": "xml", "sarif": "sarif.json", "oscal": "oscal.json"}
	if ending, other := endings[format]; other {
		return "report." + ending
	}
	return "report." + format
}

// flowsOf returns the function that writes a flows file.
func flowsOf(captures []*capture.Capture) func(io.Writer) error {
	return func(to io.Writer) error { return capture.WriteFlows(to, captures) }
}

// checkpoint returns the function that keeps what was captured so far; nil where there is nowhere to keep it.
func (w *publisher) checkpoint() func([]*capture.Capture) error {
	if w.archive == nil {
		return nil
	}
	return func(captures []*capture.Capture) error { return w.archive.Checkpoint(flowsOf(captures)) }
}

// past is what a run that was cut off left behind.
type past struct {
	archive  *live.Archive // nil where no reports are kept
	captures []*capture.Capture
	warnings []string
}

// openPast opens the archive, and reads what a run before this one did not bring to its end.
func (p *program) openPast(f *liveFlags, options capture.Options, log *slog.Logger) (*past, error) {
	if f.run.folder == "" {
		return &past{}, nil
	}
	for _, name := range f.run.formats {
		if _, ok := report.ByName(name); !ok {
			return nil, oneOf("report-format", name, report.Names()...)
		}
	}
	archive, err := live.OpenArchive(f.run.folder)
	if err != nil {
		return nil, outputError{err}
	}
	archive.Keep, archive.KeepFor = f.run.keep, f.run.keepFor
	past := &past{archive: archive}
	if err := past.read(p, options, log); err != nil {
		past.close()
		return nil, outputError{err}
	}
	return past, nil
}

// read takes up the checkpoint of a run that was cut off.
func (past *past) read(p *program, options capture.Options, log *slog.Logger) error {
	path := past.archive.CheckpointPath()
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	captures, err := p.readCheckpoint(path, options)
	if err != nil {
		aside, moved := past.archive.SetAside(time.Now())
		past.warn(log, fmt.Sprintf("a run before this one was cut off, and what it had seen cannot be read: %v; it is kept as %s", err, aside))
		return moved
	}
	past.captures = captures
	past.warn(log, fmt.Sprintf("a run before this one was cut off: nothing was captured from %s to %s",
		ended(captures).UTC().Format(time.RFC3339), time.Now().UTC().Format(time.RFC3339)))
	return nil
}

// ended returns when the last of the captures ended.
func ended(captures []*capture.Capture) time.Time {
	var last int64
	for _, c := range captures {
		last = max(last, c.Last)
		for _, i := range c.Interfaces {
			last = max(last, i.End)
		}
	}
	return time.Unix(0, last)
}

// warn says it now and in every report of the run.
func (past *past) warn(log *slog.Logger, text string) {
	log.Warn(text)
	past.warnings = append(past.warnings, text)
}

// readCheckpoint reads the captures of a checkpoint.
func (p *program) readCheckpoint(path string, options capture.Options) ([]*capture.Capture, error) {
	inputs, err := capture.Open([]string{path}, nil)
	if err != nil {
		return nil, err
	}
	captures, _ := capture.Arrange(inputs[0].ReadAll(p.ctx, options))
	for _, c := range captures {
		if c.Damage != nil && c.Format == capture.FormatFlows {
			return nil, c.Damage
		}
	}
	return captures, nil
}

// close gives the archive free.
func (past *past) close() {
	if past.archive != nil {
		_ = past.archive.Close()
	}
}
