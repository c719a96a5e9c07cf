package main

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"flowvet/capture/capturetest"
)

// TestMain lets the test binary stand in for flowvet itself, so that scripts run a real process: signals, closed pipes
// and exit statuses are what a user would meet.
func TestMain(m *testing.M) {
	commands := map[string]func(){"flowvet": main}
	maps.Copy(commands, liveCommands())
	testscript.Main(m, commands)
}

// TestScripts runs the stories of testdata/script. Each finds in its folder lab.yaml, an inventory of two hosts and
// their vCenter, with two captures of them: clean.pcap, in which nothing is wrong, and lab.pcap, in which one heartbeat
// is missing and somebody speaks telnet; $EXPORTS is a folder of captured export datagrams. Besides testscript's own commands the stories know
//
//	capture NAME STORY   make a capture from a text story (see capture/capturetest)
//	exits STATUS ARG...  run flowvet and want exactly this exit status
//	cut NAME N NEW       the first N bytes of a file; -N leaves away the last N
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setUpLab,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"capture": makeCapture,
			"exits":   exits,
			"cut":     cut,
		},
	})
}

// setUpLab puts the lab into a script's folder.
func setUpLab(env *testscript.Env) error {
	env.Setenv("TERM", "xterm-256color")
	imports, err := filepath.Abs(filepath.Join("..", "..", "inventory", "testdata", "imports"))
	if err != nil {
		return err
	}
	env.Setenv("IMPORTS", imports)
	exports, err := filepath.Abs(filepath.Join("..", "..", "testdata", "pcaps", "exports"))
	if err != nil {
		return err
	}
	env.Setenv("EXPORTS", exports)
	inventory, err := os.ReadFile(filepath.Join("testdata", "lab", "lab.yaml"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(env.WorkDir, "lab.yaml"), inventory, 0o600); err != nil {
		return err
	}
	for _, name := range []string{"clean", "lab"} {
		text, err := os.ReadFile(filepath.Join("testdata", "lab", name+".txt"))
		if err != nil {
			return err
		}
		story, err := capturetest.Parse(name+".txt", string(text))
		if err != nil {
			return err
		}
		if err := story.WriteFile(filepath.Join(env.WorkDir, name+".pcap")); err != nil {
			return err
		}
	}
	return nil
}

// makeCapture is the script command capture.
func makeCapture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture NAME STORY")
	}
	story, err := capturetest.Parse(args[1], ts.ReadFile(args[1]))
	ts.Check(err)
	ts.Check(story.WriteFile(ts.MkAbs(args[0])))
}

// exits is the script command exits.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: exits STATUS ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec("flowvet", args[1:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("flowvet: %v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// cut is the script command cut.
func cut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: cut NAME N NEW")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	data := ts.ReadFile(args[0])
	if n < 0 {
		n += len(data)
	}
	if n < 0 || n > len(data) {
		ts.Fatalf("%s has only %d bytes", args[0], len(data))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(data[:n]), 0o600))
}
