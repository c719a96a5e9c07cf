package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"flowvet/catalog"
	"flowvet/match"
	"flowvet/report"
)

const scenarioUsage = `Usage: flowvet scenario [FLAGS] [NAME|FILE]
       flowvet scenario lint FILE...

Lists the operations whose traffic can be judged as a whole, or explains one: what must be seen, what may be, what must
not, by which rows, and what no header can show. flowvet check --scenario NAME|FILE judges captures by it.

lint checks scenarios of your own. Exit status: 0 good, 2 unusable.

Examples:
  flowvet scenario
      which ones are there?
  flowvet scenario vmotion
      what must be seen of a vMotion, and which limits can be changed with --set?
  flowvet scenario vmotion --yaml > ours.yaml
      the same as a file, to be edited
  flowvet scenario lint ours.yaml
      is our own scenario well-formed?
`

// scenarioFlags is the scenario that the user names, as written.
type scenarioFlags struct {
	name   string
	binds  []string
	marker string
	sets   []string
}

// bind registers the flags.
func (f *scenarioFlags) bind(flags *flagSet) {
	flags.StringVar(&f.name, "scenario", "", "judge an operation as a whole: a scenario's `NAME`, such as vmotion, or a file of your own")
	flags.StringArrayVar(&f.binds, "bind", nil, "the machine that a variable of the scenario stands for: `VAR=MACHINE`, or several with commas (repeatable; default: found in the traffic)")
	flags.StringVar(&f.marker, "marker", "", "the `TIME` (RFC 3339) at which the operation began")
	flags.StringArrayVar(&f.sets, "set", nil, "change a limit of the scenario: `LINE.LIMIT=VALUE`, such as heartbeat-source.max-gap=30s (repeatable)")
}

// given reports whether the user names a scenario.
func (f *scenarioFlags) given() bool { return f.name != "" }

// file returns the file that the scenario may be in.
func (f *scenarioFlags) file() string {
	if slices.Contains(catalog.ScenarioNames(), f.name) {
		return ""
	}
	return f.name
}

// load reads the scenario with its bindings and limits, and the marker.
func (f *scenarioFlags) load(c *catalog.Catalog) (plays []match.Play, marker int64, err error) {
	if !f.given() {
		for flag, used := range map[string]bool{"bind": len(f.binds) > 0, "marker": f.marker != "", "set": len(f.sets) > 0} {
			if used {
				return nil, 0, usagef("--%s says more of a scenario: name it with --scenario", flag)
			}
		}
		return nil, 0, nil
	}
	s, err := findScenario(c, f.name)
	if err != nil {
		return nil, 0, err
	}
	for _, set := range f.sets {
		if s, err = s.With(set); err != nil {
			return nil, 0, usagef("--set: %w", err)
		}
	}
	bind, err := bindings(f.binds)
	if err != nil {
		return nil, 0, err
	}
	if f.marker != "" {
		at, err := instant("marker", f.marker)
		if err != nil {
			return nil, 0, err
		}
		marker = at.UnixNano()
	}
	return []match.Play{{Scenario: s, Bind: bind}}, marker, nil
}

// bindings reads --bind.
func bindings(texts []string) (map[string][]string, error) {
	bind := map[string][]string{}
	for _, text := range texts {
		variable, machines, ok := strings.Cut(text, "=")
		switch {
		case !ok || machines == "":
			return nil, usagef("--bind: %q: write VARIABLE=MACHINE, such as SRC=esx01", text)
		case bind[variable] != nil:
			return nil, usagef("--bind: %s is given twice", variable)
		}
		bind[variable] = strings.Split(machines, ",")
	}
	return bind, nil
}

// findScenario returns a built-in scenario, or reads one of the user's from a file.
func findScenario(c *catalog.Catalog, name string) (*catalog.Scenario, error) {
	if !slices.Contains(catalog.ScenarioNames(), name) {
		if _, err := os.Stat(name); err == nil {
			s, err := c.LoadScenario(name)
			if err != nil {
				return nil, usageError{err}
			}
			return s, nil
		}
	}
	s, err := c.Scenario(name)
	if err != nil {
		return nil, usagef("scenario: %w", err)
	}
	return s, nil
}

// scenario lists, explains or checks scenarios.
func (p *program) scenario(args []string) (int, error) {
	if len(args) > 0 && args[0] == "lint" {
		return p.lintScenarios(args[1:])
	}
	var catalogs []string
	var noBuiltin, yaml bool
	flags := newFlagSet("scenario", scenarioUsage)
	flags.BoolVar(&yaml, "yaml", false, "as the file that it is read from")
	bindCatalogs(flags, &catalogs, &noBuiltin)
	names, err := flags.parse(p, args)
	if err != nil {
		return statusGood, err
	}
	c, err := loadCatalog(!noBuiltin, catalogs)
	if err != nil {
		return statusUsage, err
	}
	switch {
	case len(names) == 0 && !yaml:
		return p.listScenarios(c)
	case len(names) != 1:
		return statusUsage, usagef("scenario: name one scenario; flowvet scenario lists them")
	}
	s, err := findScenario(c, names[0])
	if err != nil {
		return statusUsage, err
	}
	if yaml {
		return p.scenarioFile(s)
	}
	p.explainScenario(s)
	return statusGood, nil
}

// scenarioFile prints the file that a scenario was read from.
func (p *program) scenarioFile(s *catalog.Scenario) (int, error) {
	text, err := s.Source()
	if err != nil {
		return statusUsage, usageError{err}
	}
	p.stdout.Write(text)
	return statusGood, nil
}

// listScenarios prints one line for each built-in scenario.
func (p *program) listScenarios(c *catalog.Catalog) (int, error) {
	for _, name := range catalog.ScenarioNames() {
		s, err := c.Scenario(name)
		if err != nil {
			return statusUsage, usageError{err}
		}
		p.hang(fmt.Sprintf("%-16s ", name), s.Title+" ("+s.Versions+")")
	}
	fmt.Fprintln(p.stdout, "\nflowvet scenario NAME explains one; flowvet check CAPTURE --inventory FILE --scenario NAME judges by it.")
	return statusGood, nil
}

// explainColumn is where the explanations of a scenario begin.
const explainColumn = 26

// explainScenario says a scenario in words.
func (p *program) explainScenario(s *catalog.Scenario) {
	fmt.Fprintf(p.stdout, "%s: %s\n", report.Terminal(s.Name), report.Terminal(s.Title))
	if s.Versions != "" {
		p.hang("for ", report.Terminal(s.Versions))
	}
	if s.Event != "" {
		p.hang("found in the traffic by ", fmt.Sprintf("its own signs (%s), or said by --bind, --window and --marker", s.Event))
	}
	if s.Lead.Given() {
		p.hang("before and after ", "what belongs to it may come "+limitWords(s.Lead, limitTime)+" earlier or later (lead)")
	}
	fmt.Fprintln(p.stdout, "\nVARIABLES")
	for _, v := range s.Variables {
		p.hang(fmt.Sprintf("  %-*s", explainColumn-2, v.Name), variableWords(v))
	}
	for _, need := range []catalog.Need{catalog.Required, catalog.Forbidden, catalog.Welcome} {
		p.explainLines(s, need)
	}
	fmt.Fprintln(p.stdout, "\nNO HEADER CAN SHOW")
	for _, text := range s.CannotShow {
		p.hang("  ", report.Terminal(text))
	}
}

func variableWords(v *catalog.Variable) string {
	roles := make([]string, len(v.Roles))
	for i, r := range v.Roles {
		roles[i] = string(r)
	}
	words := report.Terminal(v.Means)
	if words != "" {
		words += ": "
	}
	return words + strings.Join(roles, " or ")
}

// explainLines prints the lines of one need.
func (p *program) explainLines(s *catalog.Scenario, need catalog.Need) {
	titled := false
	for _, l := range s.Lines {
		if l.Need != need {
			continue
		}
		if !titled {
			fmt.Fprintf(p.stdout, "\n%s\n", strings.ToUpper(need.String()))
			titled = true
		}
		p.hang(fmt.Sprintf("  %-*s", explainColumn-2, report.Terminal(l.ID)), report.Terminal(l.Means))
		for _, words := range lineWords(l) {
			p.hang(strings.Repeat(" ", explainColumn), words)
		}
	}
}

// lineWords says what a line asks for, a thought at a time.
func lineWords(l *catalog.Line) []string {
	all := []string{evidenceWords(l) + ", " + phaseWords(l.Phase)}
	add := func(when bool, format string, args ...any) {
		if when {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	add(l.Within.Given(), "within %s (within)", limitWords(l.Within, limitTime))
	add(l.MaxGap.Given(), "never silent for more than %s (max-gap)", limitWords(l.MaxGap, limitTime))
	add(l.MinBytes.Given(), "at least %s of payload (min-bytes)", limitWords(l.MinBytes, limitBytes))
	add(l.MinPackets.Given(), "at least %s (min-packets)", limitWords(l.MinPackets, limitPackets))
	add(len(l.After) > 0, "after %s, where the headers show when both began", strings.Join(l.After, ", "))
	add(l.OneOf != "", "one of the group %s is enough", l.OneOf)
	add(l.New, "only connections that begin then")
	add(l.Mild, "a warning only")
	add(l.CannotShow != "", "cannot show %s", report.Terminal(l.CannotShow))
	return all
}

func evidenceWords(l *catalog.Line) string {
	switch l.Kind {
	case catalog.Silence:
		return "no frame of " + strings.Join(l.From, ", ")
	case catalog.Voice:
		return "some frame of " + strings.Join(l.From, ", ")
	case catalog.Announcement:
		return "a RARP or gratuitous ARP frame"
	}
	ids, services := make([]string, len(l.Rows)), []string{}
	for i, r := range l.Rows {
		ids[i] = report.Terminal(r.ID)
		if service := r.Ports.String() + "/" + strings.ToLower(r.Transport.String()); !slices.Contains(services, service) {
			services = append(services, service)
		}
	}
	each := map[catalog.Quantifier]string{catalog.EachFrom: "each of ", catalog.AnyPair: "", catalog.EachTo: ""}[l.Each]
	to := map[catalog.Quantifier]string{catalog.EachTo: "each of ", catalog.AnyPair: "", catalog.EachFrom: ""}[l.Each]
	return fmt.Sprintf("%s%s -> %s%s %s (%s)", each, strings.Join(l.From, ", "), to, strings.Join(l.To, ", "), strings.Join(services, " or "), strings.Join(ids, ", "))
}

func phaseWords(p catalog.Phase) string {
	switch p {
	case catalog.Baseline:
		return "before the operation"
	case catalog.Trigger:
		return "in the lead before the operation"
	case catalog.Operation:
		return "while it runs"
	case catalog.Around:
		return "from the lead before it to the lead after it"
	case catalog.Aftermath:
		return "from its beginning on"
	}
	return "at any time"
}

// The units of limits, in words.
func limitTime(n int64) string    { return time.Duration(n).String() }
func limitBytes(n int64) string   { return fmt.Sprintf("%d bytes", n) }
func limitPackets(n int64) string { return count(int(n), "packet") }

func limitWords(l catalog.Limit, unit func(int64) string) string {
	if l.Proposed {
		return unit(l.N) + ", a proposal of flowvet's"
	}
	return unit(l.N)
}

// lintScenarios checks scenarios of the user's.
func (p *program) lintScenarios(args []string) (int, error) {
	var catalogs []string
	var noBuiltin bool
	flags := newFlagSet("scenario lint", scenarioUsage)
	bindCatalogs(flags, &catalogs, &noBuiltin)
	files, err := flags.parse(p, args)
	if err != nil {
		return statusGood, err
	}
	if len(files) == 0 {
		return statusUsage, usagef("scenario lint: no scenario named")
	}
	c, err := loadCatalog(!noBuiltin, catalogs)
	if err != nil {
		return statusUsage, err
	}
	status := statusGood
	for _, file := range files {
		s, err := c.LoadScenario(file)
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				fmt.Fprintln(p.stdout, shown(strings.TrimRight(line, "\n")))
			}
			status = statusUsage
			continue
		}
		fmt.Fprintf(p.stdout, "%s: good: %s, %s\n", report.Terminal(file), count(len(s.Variables), "variable"), count(len(s.Lines), "line"))
	}
	return status, nil
}
