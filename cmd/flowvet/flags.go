package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"flowvet/catalog"
)

// flagSet is a command's flags with the text that teaches them.
type flagSet struct {
	*pflag.FlagSet
	command string
	teaches string // what it does and examples, before the list of flags
}

// newFlagSet returns an empty set. Errors and help are the caller's to print.
func newFlagSet(command, teaches string) *flagSet {
	flags := pflag.NewFlagSet(command, pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.SortFlags = false
	flags.Usage = func() {}
	return &flagSet{FlagSet: flags, command: command, teaches: teaches}
}

// parse reads the arguments, then environment and configuration, and returns those that are no flags. Asked for help, it prints it and returns errHelp.
func (f *flagSet) parse(p *program, args []string) ([]string, error) {
	if p.collect != nil {
		p.collect(f)
		return nil, errHelp
	}
	err := f.Parse(args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		f.help(p)
		return nil, errHelp
	case err != nil:
		return nil, usagef("%s: %s", f.command, f.explain(err))
	}
	return f.Args(), f.settle(os.LookupEnv)
}

// help prints the text and the flags.
func (f *flagSet) help(p *program) {
	fmt.Fprint(p.stdout, f.teaches)
	if !f.HasFlags() {
		return
	}
	fmt.Fprint(p.stdout, "\nFlags:\n")
	f.VisitAll(func(flag *pflag.Flag) {
		label, text := describe(flag)
		p.hang(fmt.Sprintf("%-*s", flagColumn, label), text)
	})
}

// flagColumn is where the texts of the flags begin: behind the longest label but for a few.
const flagColumn = 30

// describe returns a flag with the name of its value, and what it does.
func describe(flag *pflag.Flag) (label, text string) {
	value, text := pflag.UnquoteUsage(flag)
	if flag.Value.Type() == "bool" {
		value = ""
	}
	label = "      --" + flag.Name
	if flag.Shorthand != "" {
		label = "  -" + flag.Shorthand + ", --" + flag.Name
	}
	return strings.TrimRight(label+" "+value, " ") + "  ", text
}

// explain turns an error of pflag into one line with the nearest flag.
func (f *flagSet) explain(err error) string {
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	var bare *pflag.ValueRequiredError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		return fmt.Sprintf("-%s is no flag; see flowvet %s --help", unknown.GetSpecifiedName(), f.command)
	case errors.As(err, &unknown):
		return fmt.Sprintf("--%s is no flag%s; see flowvet %s --help", unknown.GetSpecifiedName(), f.nearest(unknown.GetSpecifiedName()), f.command)
	case errors.As(err, &bare):
		return fmt.Sprintf("--%s needs a value; see flowvet %s --help", bare.GetFlag().Name, f.command)
	case errors.As(err, &invalid):
		return fmt.Sprintf("--%s: %q: %v", invalid.GetFlag().Name, invalid.GetValue(), errors.Unwrap(invalid))
	}
	return err.Error()
}

// nearest returns ": did you mean --flag?" or "".
func (f *flagSet) nearest(name string) string {
	var names []string
	f.VisitAll(func(flag *pflag.Flag) { names = append(names, flag.Name) })
	if near := catalog.Nearest(name, names); near != "" {
		return fmt.Sprintf(": did you mean --%s?", near)
	}
	return ""
}

// oneOf checks a flag whose value is one of a few words.
func oneOf(flag, value string, words ...string) error {
	for _, w := range words {
		if value == w {
			return nil
		}
	}
	return usagef("--%s: %q: one of %s%s", flag, value, strings.Join(words, ", "), didYouMean(value, words))
}
