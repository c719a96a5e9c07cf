package catalog

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

//go:embed scenarios/*.yaml
var scenarioFiles embed.FS

// scenarioFolder is where the embedded scenarios stand.
const scenarioFolder = "scenarios"

// ScenarioNames returns the names of the built-in scenarios, sorted.
func ScenarioNames() []string {
	entries, err := scenarioFiles.ReadDir(scenarioFolder)
	if err != nil { // it is embedded: a mistake in the build, found by every test
		panic(err)
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".yaml"); ok {
			names = append(names, name)
		}
	}
	return names
}

// Scenario returns a built-in scenario with the rows of this catalogue. The error says which name is nearest, or which row
// the catalogue does not have.
func (c *Catalog) Scenario(name string) (*Scenario, error) {
	if !slices.Contains(ScenarioNames(), name) {
		return nil, fmt.Errorf("%s is no scenario%s", quote(name), hinted(name, ScenarioNames()))
	}
	file := path.Join(scenarioFolder, name+".yaml")
	data, err := scenarioFiles.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return c.ParseScenario(builtinFile+name+".yaml", data)
}

// builtinFile stands before the name of a file that is built in.
const builtinFile = "built-in:"

// Builtin reports whether the scenario is one of flowvet's own.
func (s *Scenario) Builtin() bool { return strings.HasPrefix(s.File, builtinFile) }

// Source returns the file that the scenario was read from, as it stands there now.
func (s *Scenario) Source() ([]byte, error) {
	if name, ok := strings.CutPrefix(s.File, builtinFile); ok {
		return scenarioFiles.ReadFile(path.Join(scenarioFolder, name))
	}
	return readFile(s.File)
}

// LoadScenario reads a user's scenario from a file.
func (c *Catalog) LoadScenario(name string) (*Scenario, error) {
	data, err := readFile(name)
	if err != nil {
		return nil, Problem{File: name, Text: err.Error()}
	}
	return c.ParseScenario(name, data)
}

// maxScenarioSize bounds a scenario's file: the longest built-in one has 6 kB.
const maxScenarioSize = 1 << 20

// Problems is everything that is wrong with a file, in the order of its lines.
type Problems []Problem

// Error returns one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// ParseScenario reads a scenario (YAML, docs/formats.md). The error is of type [Problems]: everything that is wrong, each
// with its line and what would be right.
func (c *Catalog) ParseScenario(name string, data []byte) (*Scenario, error) {
	p := &scenarioParser{file: name, cat: c}
	p.found.files = []string{name}
	s := &Scenario{File: name}
	if root := p.root(data); root != nil {
		p.scenario(s, root)
		p.whole(s, root)
	}
	if len(p.found.errors) == 0 && !s.keepLines() {
		p.addf(0, "add them with --catalog", "every row is of a catalogue that is not in use")
	}
	if len(p.found.errors) > 0 {
		return nil, Problems(p.found.sorted())
	}
	return s, nil
}

// scenarioParser walks the nodes of a scenario, so that every problem has its line and no alias is ever expanded.
type scenarioParser struct {
	file  string
	cat   *Catalog
	found problems
}

func (p *scenarioParser) addf(line int, hint, format string, args ...any) {
	p.found.add(Problem{File: p.file, Line: line, Text: fmt.Sprintf(format, args...), Hint: strings.TrimPrefix(hint, ": ")})
}

// root returns the only document of a file.
func (p *scenarioParser) root(data []byte) *yaml.Node {
	switch {
	case len(data) > maxScenarioSize:
		p.addf(0, "", "larger than %d bytes: no scenario is", maxScenarioSize)
		return nil
	case !utf8.Valid(data):
		p.addf(0, "save it as UTF-8", "is not UTF-8")
		return nil
	}
	var doc yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	switch err := decoder.Decode(&doc); {
	case errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0:
		p.addf(1, "begin with scenario: NAME", "is empty")
		return nil
	case err != nil:
		p.notYAML(err)
		return nil
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		p.addf(0, "take out what follows the line ---", "holds more than one document")
		return nil
	}
	return doc.Content[0]
}

// yamlLine finds the line in a message of the YAML library, which carries it in the text only.
var yamlLine = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^yaml: (?:line (\d+): )?`) })

func (p *scenarioParser) notYAML(err error) {
	text := strings.Join(strings.Fields(err.Error()), " ")
	line := 0
	if m := yamlLine().FindStringSubmatch(text); m != nil {
		text = text[len(m[0]):]
		line, _ = strconv.Atoi(m[1])
	}
	p.addf(line, "check the indentation, and that brackets and quotes are closed", "is not YAML: %s", text)
}

// fields calls the function of each key of a mapping.
func (p *scenarioParser) fields(n *yaml.Node, what string, read map[string]func(*yaml.Node)) {
	p.pairs(n, what, func(key, value *yaml.Node) {
		f, known := read[key.Value]
		if !known {
			p.addf(key.Line, hinted(key.Value, slices.Sorted(maps.Keys(read))), "%s: unknown key %s", what, quote(key.Value))
			return
		}
		f(value)
	})
}

// pairs calls f for each key and value of a mapping.
func (p *scenarioParser) pairs(n *yaml.Node, what string, f func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		p.addf(n.Line, "", "%s: lines of key: value are expected", what)
		return
	}
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case first[key.Value] > 0:
			p.addf(key.Line, "", "%s: key %s is given twice, first on line %d", what, quote(key.Value), first[key.Value])
		case value.Kind == yaml.AliasNode:
			p.addf(value.Line, "write the value out", "%s: aliases are not used here", what)
		default:
			first[key.Value] = key.Line
			f(key, value)
		}
	}
}

// maxScenarioText bounds a text of a scenario, which ends in every report.
const maxScenarioText = 400

// text reads a scalar that is not empty.
func (p *scenarioParser) text(n *yaml.Node, what string) string {
	text := strings.Join(strings.Fields(n.Value), " ")
	switch {
	case n.Kind != yaml.ScalarNode || text == "":
		p.addf(n.Line, "", "%s: a word or a text is expected", what)
		return ""
	case len(text) > maxScenarioText:
		p.addf(n.Line, "", "%s: longer than %d bytes", what, maxScenarioText)
	}
	return text
}

// list reads one text or a list of them.
func (p *scenarioParser) list(n *yaml.Node, what string) []string {
	if n.Kind != yaml.SequenceNode {
		return []string{p.text(n, what)}
	}
	var all []string
	for _, e := range n.Content {
		all = append(all, p.text(e, what))
	}
	return all
}

// choice reads one of a few words.
func (p *scenarioParser) choice(n *yaml.Node, what string, words []string) string {
	word := p.text(n, what)
	if word != "" && !slices.Contains(words, word) {
		p.addf(n.Line, hinted(word, words), "%s: %s is none of them", what, quote(word))
	}
	return word
}

func (p *scenarioParser) flag(n *yaml.Node, what string) bool {
	v, err := strconv.ParseBool(p.text(n, what))
	if err != nil {
		p.addf(n.Line, "", "%s: true or false is expected", what)
	}
	return v
}

// limit reads a figure: plain, or {proposed: FIGURE} where it is flowvet's own.
func (p *scenarioParser) limit(n *yaml.Node, what, key string) Limit {
	proposed := false
	value := n
	if n.Kind == yaml.MappingNode {
		proposed, value = true, nil
		p.fields(n, what, map[string]func(*yaml.Node){"proposed": func(v *yaml.Node) { value = v }})
		if value == nil {
			p.addf(n.Line, "write {proposed: 60s}", "%s: no figure", what)
			return Limit{}
		}
	}
	limit, err := parseLimit(key, p.text(value, what))
	if err != nil {
		p.addf(value.Line, "", "%s: %v", what, err)
	}
	limit.Proposed = proposed
	return limit
}

// words turns named strings into plain ones.
func words[T ~string](named []T) []string {
	all := make([]string, len(named))
	for i, n := range named {
		all[i] = string(n)
	}
	return all
}

func (p *scenarioParser) scenario(s *Scenario, root *yaml.Node) {
	p.fields(root, "the scenario", map[string]func(*yaml.Node){
		"scenario":    func(n *yaml.Node) { s.Name = p.name(n, "scenario") },
		"title":       func(n *yaml.Node) { s.Title = p.text(n, "title") },
		"versions":    func(n *yaml.Node) { s.Versions = p.text(n, "versions") },
		"event":       func(n *yaml.Node) { s.Event = Event(p.choice(n, "event", words(Events()))) },
		keyLead:       func(n *yaml.Node) { s.Lead = p.limit(n, "lead", keyLead) },
		"cannot-show": func(n *yaml.Node) { s.CannotShow = p.list(n, "cannot-show") },
		"variables": func(n *yaml.Node) {
			p.pairs(n, "variables", func(key, value *yaml.Node) { s.Variables = append(s.Variables, p.variable(key, value)) })
		},
		"lines": func(n *yaml.Node) {
			if n.Kind != yaml.SequenceNode {
				p.addf(n.Line, "write one line after each -", "lines: a list is expected")
				return
			}
			for i, e := range n.Content {
				s.Lines = append(s.Lines, p.line(e, i+1))
			}
		},
	})
}

// name reads a word in lower case.
func (p *scenarioParser) name(n *yaml.Node, what string) string {
	name := p.text(n, what)
	if name != "" && !word.MatchString(name) {
		p.addf(n.Line, "lower case letters, digits and . _ -", "%s: %s is no name", what, quote(name))
	}
	return name
}

// variableName is how a variable is written: in capitals, so that nobody takes it for a machine or a role.
var variableName = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,31}$`)

func (p *scenarioParser) variable(key, n *yaml.Node) *Variable {
	v := &Variable{Name: key.Value, Line: key.Line}
	what := "variable " + quote(key.Value)
	if !variableName.MatchString(v.Name) {
		p.addf(key.Line, "write it in capitals, such as SRC", "%s is no name for a variable", quote(v.Name))
	}
	p.fields(n, what, map[string]func(*yaml.Node){
		"role":   func(n *yaml.Node) { v.Roles = p.roles(n, what+": role") },
		"means":  func(n *yaml.Node) { v.Means = p.text(n, what+": means") },
		"many":   func(n *yaml.Node) { v.Many = p.flag(n, what+": many") },
		"except": func(n *yaml.Node) { v.Except = p.list(n, what+": except") },
	})
	if len(v.Roles) == 0 {
		p.addf(key.Line, "add role: hypervisor-host or another", "%s has no role", what)
	}
	return v
}

func (p *scenarioParser) roles(n *yaml.Node, what string) []Role {
	var roles []Role
	for _, name := range p.list(n, what) {
		role, err := p.cat.RoleNamed(name)
		if err != nil {
			p.addf(n.Line, suggest(name, p.cat.roles.names), "%s: unknown role %s", what, quote(name))
			continue
		}
		roles = append(roles, role)
	}
	return roles
}

// line reads one requirement.
func (p *scenarioParser) line(n *yaml.Node, number int) *Line {
	l := &Line{Number: number, FileLine: n.Line, Phase: Whole}
	what := fmt.Sprintf("line %d", number)
	kinds := 0
	of := func(kind LineKind) { l.Kind = kind; kinds++ }
	limit := func(key string) func(*yaml.Node) {
		return func(n *yaml.Node) { *l.limits()[key] = p.limit(n, what+": "+key, key) }
	}
	p.fields(n, what, map[string]func(*yaml.Node){
		"id":          func(n *yaml.Node) { l.ID = p.name(n, what+": id") },
		"means":       func(n *yaml.Node) { l.Means = p.text(n, what+": means") },
		"rows":        func(n *yaml.Node) { of(Conversations); l.Rows = p.rows(n, what+": rows") },
		"silent":      func(n *yaml.Node) { of(Silence); l.From = p.list(n, what+": silent") },
		"speaks":      func(n *yaml.Node) { of(Voice); l.From = p.list(n, what+": speaks") },
		"announces":   func(n *yaml.Node) { of(Announcement); p.choice(n, what+": announces", []string{"any"}) },
		"from":        func(n *yaml.Node) { l.From = p.list(n, what+": from") },
		"to":          func(n *yaml.Node) { l.To = p.list(n, what+": to") },
		"each":        func(n *yaml.Node) { l.Each = Quantifier(p.position(n, what+": each", "any", "from", "to")) },
		"need":        func(n *yaml.Node) { l.Need = Need(p.position(n, what+": need", "required", "optional", "forbidden")) },
		"phase":       func(n *yaml.Node) { l.Phase = Phase(p.choice(n, what+": phase", words(Phases()))) },
		"one-of":      func(n *yaml.Node) { l.OneOf = p.name(n, what+": one-of") },
		"after":       func(n *yaml.Node) { l.After = p.list(n, what+": after") },
		"new":         func(n *yaml.Node) { l.New = p.flag(n, what+": new") },
		"mild":        func(n *yaml.Node) { l.Mild = p.flag(n, what+": mild") },
		"cannot-show": func(n *yaml.Node) { l.CannotShow = p.text(n, what+": cannot-show") },
		keyWithin:     limit(keyWithin), keyMaxGap: limit(keyMaxGap), keyMinPackets: limit(keyMinPackets), keyMinBytes: limit(keyMinBytes),
	})
	if kinds != 1 {
		p.addf(n.Line, "", "%s: one of rows, silent, speaks and announces is expected, not %d", what, kinds)
	}
	if l.Kind == Conversations && (len(l.From) == 0 || len(l.To) == 0) {
		p.addf(n.Line, "name variables", "%s: from and to say between whom", what)
	}
	if l.ID == "" {
		p.addf(n.Line, "", "%s: id is missing", what)
	}
	if l.Means == "" {
		p.addf(n.Line, "", "%s: means is missing", what)
	}
	return l
}

// position reads one of a few words and returns which; the first where it is none of them.
func (p *scenarioParser) position(n *yaml.Node, what string, words ...string) int {
	return max(0, slices.Index(words, p.choice(n, what, words)))
}

// rows reads ids of rows. One written CATALOGUE:ID, of a catalogue that comes along, counts only where that one is in use.
func (p *scenarioParser) rows(n *yaml.Node, what string) []*Row {
	var rows []*Row
	ids := p.list(n, what)
	if len(ids) == 0 {
		p.addf(n.Line, "flowvet catalog lists them", "%s: no row is named", what)
	}
	for _, id := range ids {
		if companion, rest, qualified := strings.Cut(id, ":"); qualified {
			if !p.inUse(n, companion, what) {
				continue
			}
			id = rest
		}
		row := p.cat.Row(id)
		switch {
		case row == nil:
			p.addf(n.Line, "flowvet catalog lists them", "%s: row %s is in no catalogue in use", what, quote(id))
		case slices.Contains(rows, row):
			p.addf(n.Line, "", "%s: row %s is given twice", what, id)
		default:
			rows = append(rows, row)
		}
	}
	return rows
}

// inUse reports whether a catalogue that comes along is in use.
func (p *scenarioParser) inUse(n *yaml.Node, companion, what string) bool {
	if !slices.Contains(Companions(), companion) {
		p.addf(n.Line, hinted(companion, Companions()), "%s: %s is no catalogue that comes along", what, quote(companion))
	}
	return p.cat.uses(companion)
}

// uses reports whether the companion of that name is one of the sources.
func (c *Catalog) uses(companion string) bool {
	return slices.ContainsFunc(c.Sources, func(s SourceInfo) bool { return s.Unofficial && s.Name == companion })
}

// keepLines leaves out the lines whose rows are all of catalogues that are not in use, since they are about other products,
// and reports whether any is left. Only for a scenario without mistakes.
func (s *Scenario) keepLines() bool {
	lacks := func(l *Line) bool { return l.Kind == Conversations && len(l.Rows) == 0 }
	var kept []*Line
	for _, l := range s.Lines {
		if lacks(l) {
			continue
		}
		l.After = slices.DeleteFunc(l.After, func(id string) bool { return lacks(s.Line(id)) })
		kept = append(kept, l)
	}
	s.Lines = kept
	return len(kept) > 0
}

// whole checks what concerns several parts of a scenario.
func (p *scenarioParser) whole(s *Scenario, root *yaml.Node) {
	if missing := s.Name == "" || s.Title == "" || len(s.Lines) == 0; missing && len(p.found.errors) == 0 {
		p.addf(root.Line, "", "scenario, title and lines are needed")
	}
	var variables []string
	for _, v := range s.Variables {
		variables = append(variables, v.Name)
	}
	known := func(line int, what string, names []string) {
		for _, name := range names {
			if !slices.Contains(variables, name) {
				p.addf(line, hinted(name, variables), "%s: %s is no variable of this scenario", what, quote(name))
			}
		}
	}
	for _, v := range s.Variables {
		known(v.Line, "variable "+quote(v.Name)+": except", v.Except)
	}
	ids := map[string]int{}
	for _, l := range s.Lines {
		what := "line " + quote(l.ID)
		known(l.FileLine, what, slices.Concat(l.From, l.To))
		if first := ids[l.ID]; first > 0 && l.ID != "" {
			p.addf(l.FileLine, "", "%s: the id stands on line %d already", what, first)
		}
		for _, id := range l.After {
			if ids[id] == 0 {
				p.addf(l.FileLine, "an earlier line is expected", "%s: after: there is no line %s before it", what, quote(id))
			}
		}
		ids[l.ID] = l.FileLine
		p.fits(s, l, what)
	}
}

// fits checks that some row of a line lies between the roles of its variables: else it could never be met.
func (p *scenarioParser) fits(s *Scenario, l *Line, what string) {
	plays := func(names []string, roles []Role) bool {
		return slices.ContainsFunc(names, func(name string) bool {
			v := s.Variable(name)
			return v != nil && slices.ContainsFunc(v.Roles, func(have Role) bool {
				return slices.ContainsFunc(roles, func(want Role) bool { return p.cat.IsA(have, want) || p.cat.IsA(want, have) })
			})
		})
	}
	for _, r := range l.Rows {
		if !slices.ContainsFunc(p.cat.Permissions(r), func(x *Permission) bool {
			return plays(l.From, x.From) && plays(l.To, x.To)
		}) {
			p.addf(l.FileLine, "from is who begins, to is who listens", "%s: row %s does not lie between the roles of %s and %s",
				what, r.ID, strings.Join(l.From, ", "), strings.Join(l.To, ", "))
		}
	}
}
