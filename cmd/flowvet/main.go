// Command flowvet holds captured traffic against VMware's published port document and says what is documented, what is
// undocumented, and what was expected but is absent.
//
// The rules of its output: results go to standard output, everything else to standard error with "flowvet: " before it.
// The exit status is the verdict in one number (see the constants). It never sends a packet and never resolves a name.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"flowvet/catalog"
	"flowvet/report"
)

// The exit statuses. Status 2 ends a run before it judges; of the others the first of 70, 5, 6, 4, 1, 3, 0 that holds wins.
const (
	statusGood        = 0   // nothing at or above the fail level
	statusFindings    = 1   // open findings at or above it; a lint with findings
	statusUsage       = 2   // a flag, a file of the user's or an input that cannot be used
	statusUnjudged    = 3   // nothing failed, but something required could not be judged
	statusPartial     = 4   // an input is cut, damaged or interrupted: the report covers what was read
	statusOutput      = 5   // output could not be written
	statusLost        = 6   // a live capture failed, or lost more than --max-loss
	statusInternal    = 70  // a fault of flowvet's own
	statusInterrupted = 130 // a second interrupt
)

// command is one word after flowvet.
type command struct {
	name string
	does string
	run  func(*program, []string) (int, error)
}

// commands returns the dispatch table, in the order in which help prints it.
func commands() []command {
	return []command{
		{"check", "judge captures: documented, undocumented, expected but absent", (*program).check},
		{"live", "judge what passes an interface, for minutes or weeks", (*program).live},
		{"record", "write what captures showed into one small file, without payload", (*program).record},
		{"catalog", "say what is documented for a port, a product, a role or a row, and what an upgrade changes", (*program).catalog},
		{"explain", "say whether a conversation would be documented, without a capture", (*program).explain},
		{"inventory", "suggest an inventory from captures, import one, or lint one", (*program).inventory},
		{"exceptions", "propose exceptions from what captures show, or lint a file of them", (*program).exceptions},
		{"diff", "say what changed between two reports or captures, and whether it got worse", (*program).diff},
		{"rules", "write the firewall rules that a machine needs by the catalogue", (*program).rules},
		{"openings", "hold hosts' firewalls against what is documented and what is used", (*program).openings},
		{"events", "find what happened: vMotions, failed hosts, protected pairs", (*program).events},
		{"scenario", "list and explain the operations that can be judged, or lint your own", (*program).scenario},
		{"verify", "check evidence, and judge its captures again", (*program).verify},
		{"completion", "print the completion of commands and flags for bash, zsh or fish", (*program).completion},
		{"man", "print the manual page", (*program).man},
		{"help", "show the help of a command", (*program).help},
		{"version", "show version, commit and catalogue", (*program).version},
	}
}

// subcommands returns the words that may follow a command and have flags of their own.
func subcommands(command string) []string {
	switch command {
	case "catalog":
		return []string{"lint", "diff", "export"}
	case "scenario":
		return []string{"lint"}
	case "exceptions":
		return []string{"propose", "lint"}
	case "inventory":
		return []string{"suggest", "import", "lint"}
	}
	return nil
}

// program is one run of flowvet: its streams, and what cancels it.
type program struct {
	ctx    context.Context
	stdin  io.Reader
	stdout *bufio.Writer
	stderr io.Writer
	screen terminal // what standard output is
	status terminal // what standard error is

	collect func(*flagSet) // takes the flags of a command that is asked for them only; nil: the command is to run
}

// usageError is a mistake of the user's that ends the run before anything is judged.
type usageError struct{ error }

// Unwrap returns the mistake.
func (e usageError) Unwrap() error { return e.error }

// usagef makes a usageError.
func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// outputError is output that could not be written.
type outputError struct{ error }

// Unwrap returns the cause.
func (e outputError) Unwrap() error { return e.error }

// errHelp ends a run whose help was asked for and printed.
var errHelp = errors.New("help was printed")

func main() {
	keepWriteErrors()
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run runs one command and returns its exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) (status int) {
	ctx, stop := interruptible(context.Background())
	defer stop()
	p := &program{
		ctx:    ctx,
		stdin:  stdin,
		stdout: bufio.NewWriterSize(stdout, 64<<10),
		stderr: stderr,
		screen: terminalOf(stdout),
		status: terminalOf(stderr),
	}
	defer func() {
		if fault := recover(); fault != nil {
			fmt.Fprintf(stderr, "flowvet: internal error: %v: the report is not to be trusted; please report this:\n%s", fault, debug.Stack())
			status = statusInternal
		}
	}()
	status, err := p.dispatch(args)
	return p.finish(status, err)
}

// interruptible returns a context that the first SIGINT or SIGTERM cancels; the second ends the process.
func interruptible(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
			return
		}
		if _, more := <-signals; more {
			os.Exit(statusInterrupted)
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel()
	}
}

// dispatch finds the command and runs it.
func (p *program) dispatch(args []string) (int, error) {
	if len(args) == 0 {
		io.WriteString(p.stderr, overview())
		return statusUsage, nil
	}
	switch args[0] {
	case "-h", "--help":
		return p.help(nil)
	case "-V", "--version":
		return p.version(nil)
	}
	names := make([]string, 0, len(commands()))
	for _, c := range commands() {
		if c.name == args[0] {
			return c.run(p, args[1:])
		}
		names = append(names, c.name)
	}
	if strings.HasPrefix(args[0], "-") {
		return statusUsage, usagef("%s stands before the command: write flowvet COMMAND %s, or see flowvet help", args[0], args[0])
	}
	return statusUsage, usagef("%q is no command%s; see flowvet help", args[0], didYouMean(args[0], names))
}

// finish writes out what is buffered, says what went wrong, and settles the exit status.
func (p *program) finish(status int, err error) int {
	var output outputError
	var usage usageError
	switch {
	case err == nil, errors.Is(err, errHelp):
	case errors.As(err, &output):
		status = worse(status, statusOutput)
	case errors.As(err, &usage):
		status = statusUsage
	case status == statusGood:
		status = statusUsage
	}
	if err != nil && !errors.Is(err, errHelp) && !closedPipe(err) {
		p.say("%v", err)
	}
	if flushed := p.stdout.Flush(); flushed != nil && !errors.As(err, &output) {
		if !closedPipe(flushed) {
			p.say("standard output: %v", flushed)
		}
		status = worse(status, statusOutput)
	}
	return status
}

// say writes one line to standard error. Control characters in it are made visible: names come from files.
func (p *program) say(format string, args ...any) {
	for line := range strings.Lines(fmt.Sprintf(format, args...)) {
		fmt.Fprintf(p.stderr, "flowvet: %s\n", shown(strings.TrimRight(line, "\r\n")))
	}
}

// shown makes a line safe for a terminal, word by word: report.Terminal cuts what is longer than a name should be.
func shown(line string) string {
	words := strings.Split(line, " ")
	for i, w := range words {
		words[i] = report.Terminal(w)
	}
	return strings.Join(words, " ")
}

// closedPipe reports whether nobody reads the output any more: no reason for a message.
func closedPipe(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}

// worse returns the exit status that wins when both hold.
func worse(a, b int) int {
	for _, s := range []int{statusInternal, statusOutput, statusLost, statusPartial, statusFindings, statusUnjudged} {
		if a == s || b == s {
			return s
		}
	}
	return statusGood
}

// didYouMean returns ": did you mean …?" when a known word is near, else "".
func didYouMean(word string, among []string) string {
	if near := catalog.Nearest(word, among); near != "" {
		return fmt.Sprintf(": did you mean %q?", near)
	}
	return ""
}
