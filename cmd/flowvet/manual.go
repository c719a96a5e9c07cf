package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"
)

const completionUsage = `Usage: flowvet completion bash|zsh|fish

Prints a script that completes commands and flags.

Examples:
  flowvet completion bash > /etc/bash_completion.d/flowvet
  flowvet completion zsh > /usr/local/share/zsh/site-functions/_flowvet
  flowvet completion fish > ~/.config/fish/completions/flowvet.fish
`

const manUsage = `Usage: flowvet man

Prints the manual page: what every command does, with its flags.

Examples:
  flowvet man | man -l -
  flowvet man > /usr/local/share/man/man1/flowvet.1
`

// flagSets returns the flags of every command, in the order of help, without running any.
func flagSets() []*flagSet {
	var all []*flagSet
	p := &program{
		ctx: context.Background(), stdout: bufio.NewWriter(io.Discard), stderr: io.Discard,
		collect: func(f *flagSet) { all = append(all, f) },
	}
	for _, c := range commands() {
		if c.name == "help" {
			continue
		}
		_, _ = c.run(p, nil) // returns errHelp
		for _, sub := range subcommands(c.name) {
			_, _ = c.run(p, []string{sub}) // as above
		}
	}
	return all
}

// completion prints the script of a shell.
func (p *program) completion(args []string) (int, error) {
	rest, err := newFlagSet("completion", completionUsage).parse(p, args)
	if err != nil {
		return statusGood, err
	}
	shells := map[string]func(io.Writer, []*flagSet){"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}
	if len(rest) != 1 || shells[rest[0]] == nil {
		return statusUsage, usagef("completion: bash, zsh or fish?")
	}
	shells[rest[0]](p.stdout, flagSets())
	return statusGood, nil
}

// words lists the flags of a command as they are typed.
func (f *flagSet) words() []string {
	words := []string{"--help"}
	f.VisitAll(func(flag *pflag.Flag) { words = append(words, "--"+flag.Name) })
	return words
}

// bashCompletion completes the command, then its flags; everything else is a file.
func bashCompletion(w io.Writer, all []*flagSet) {
	fmt.Fprint(w, `# bash completion of flowvet: flowvet completion bash
_flowvet() {
  local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} words=
  case "$command ${COMP_WORDS[2]}" in
`)
	writeCases(w, all, "  ")
	fmt.Fprintf(w, `  esac
  if [ "$COMP_CWORD" -eq 1 ]; then words=%q; fi
  if [ "$COMP_CWORD" -eq 1 ] || [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  fi
}
complete -o filenames -o bashdefault -F _flowvet flowvet
`, strings.Join(firstWords(), " "))
}

// writeCases writes the cases of a shell's case statement, those of two words first.
func writeCases(w io.Writer, all []*flagSet, indent string) {
	for _, two := range []bool{true, false} {
		for _, f := range all {
			if strings.Contains(f.command, " ") != two {
				continue
			}
			pattern := "'" + f.command + "'*"
			if !two {
				pattern = "'" + f.command + " '*"
			}
			fmt.Fprintf(w, "%s%s) words=%q ;;\n", indent, pattern, strings.Join(f.words(), " "))
		}
	}
}

// firstWords lists the commands of one word.
func firstWords() (words []string) {
	for _, c := range commands() {
		words = append(words, c.name)
	}
	return words
}

// zshCompletion does what bashCompletion does.
func zshCompletion(w io.Writer, all []*flagSet) {
	fmt.Fprint(w, `#compdef flowvet
# zsh completion of flowvet: flowvet completion zsh
_flowvet() {
  local words_of_flowvet command="${words[2]} ${words[3]}"
  if (( CURRENT == 2 )); then
    local -a commands=(
`)
	for _, c := range commands() {
		fmt.Fprintf(w, "      %s\n", single(c.name+":"+c.does))
	}
	fmt.Fprint(w, `    )
    _describe command commands
    return
  fi
  local words_here=
  case $command in
`)
	var cases strings.Builder
	writeCases(&cases, all, "    ")
	fmt.Fprint(w, strings.ReplaceAll(cases.String(), ") words=", ") words_here="))
	fmt.Fprint(w, `  esac
  if [[ ${words[CURRENT]} == -* ]]; then
    compadd -- ${=words_here}
  else
    _files
  fi
}
compdef _flowvet flowvet
`)
}

// single quotes a word for a shell.
func single(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// fishCompletion completes with what each command and flag does.
func fishCompletion(w io.Writer, all []*flagSet) {
	fmt.Fprintln(w, "# fish completion of flowvet: flowvet completion fish")
	for _, c := range commands() {
		fmt.Fprintf(w, "complete -c flowvet -n __fish_use_subcommand -f -a %s -d %s\n", c.name, fishQuoted(c.does))
	}
	for _, f := range all {
		seen := "__fish_seen_subcommand_from " + strings.ReplaceAll(f.command, " ", "; and __fish_seen_subcommand_from ")
		f.VisitAll(func(flag *pflag.Flag) {
			short, value := "", ""
			if flag.Shorthand != "" {
				short = " -s " + flag.Shorthand
			}
			if flag.Value.Type() != "bool" {
				value = " -r"
			}
			_, text := pflag.UnquoteUsage(flag)
			fmt.Fprintf(w, "complete -c flowvet -n %s -l %s%s%s -d %s\n", fishQuoted(seen), flag.Name, short, value, fishQuoted(text))
		})
	}
}

// fishQuoted quotes a word for fish, whose single quotes know two escapes.
func fishQuoted(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}

// man prints the manual page.
func (p *program) man(args []string) (int, error) {
	if _, err := newFlagSet("man", manUsage).parse(p, args); err != nil {
		return statusGood, err
	}
	w := p.stdout
	fmt.Fprintf(w, ".TH FLOWVET 1 \"\" %s \"User Commands\"\n", roff(release))
	fmt.Fprint(w, ".SH NAME\nflowvet \\- hold captured traffic against a published port document\n")
	fmt.Fprint(w, ".SH SYNOPSIS\n.B flowvet\n.I command\n[\\fIarguments\\fR]\n")
	fmt.Fprintf(w, ".SH DESCRIPTION\n.nf\n%s.fi\n", roff(overview()))
	for _, f := range flagSets() {
		fmt.Fprintf(w, ".SH %s\n.nf\n%s.fi\n", roff(strings.ToUpper("flowvet "+f.command)), roff(f.teaches))
		f.VisitAll(func(flag *pflag.Flag) {
			label, text := describe(flag)
			fmt.Fprintf(w, ".TP\n.B %s\n%s\n", roff(strings.TrimSpace(label)), roff(text))
		})
	}
	fmt.Fprint(w, paragraph("ENVIRONMENT", "A flag that is not given takes its value from FLOWVET_ and its name in capitals, - as _: FLOWVET_MAX_LOSS "+
		"is --max-loss. Commas part the values of one that is repeatable. NO_COLOR, TERM and COLUMNS are heard."))
	fmt.Fprint(w, paragraph("FILES", "Where the environment says nothing, config.yaml in flowvet below the user's folder of configurations, else "+
		"/etc/flowvet/config.yaml: a mapping of commands to mappings of flags to values. FLOWVET_CONFIG names another; empty, none."))
	return statusGood, nil
}

// paragraph is a section of one paragraph.
func paragraph(title, text string) string { return ".SH " + title + "\n" + roff(text) + "\n" }

// roff escapes a text: no line of it begins a request, and hyphens can be copied.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
