package catalog

import (
	"cmp"
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The columns of a catalogue, in the order of ports.csv.
var (
	requiredColumns = []string{"id", "product", "ports", "transport", "source", "target"}
	rowColumns      = []string{
		"id", "product", "ports", "ports_printed", "transport", "transport_printed",
		"source", "target", "source_printed", "target_printed", "listener", "ends", "relation",
		"class", "group", "each", "period", "plane", "cast", "reply", "configurable", "on_wire",
		"insecure", "erratum", "alt", "note", "purpose", "citation", "line",
	}
)

// The words of the columns that have a fixed choice, in the order of their constants.
var (
	listeners = []string{"target", "source", "either"}
	relations = []string{"unrelated", "linked", "remote"}
	eaches    = []string{"source", "target", "any"}
	replies   = []string{"yes", "no"}
	yesNo     = []string{"n", "y"}
	planes    = []string{"mgmt", "vmotion", "ft", "storage", "bmc"}
	classes   = []string{"optional", "always", "if-used", "during", "internal"}
)

// Planes returns the planes that a row or an address can be on.
func Planes() []string { return slices.Clone(planes) }

// maxPeriod is the longest period a row may state: nobody captures for a month.
const maxPeriod = 31 * 24 * 60 * 60

var (
	rowID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	word  = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
)

// rowReader reads one record as a row.
type rowReader struct {
	catalog *Catalog
	table   *table
	record  record
	found   *problems
	bad     bool
}

// readRow reads a record as a row from a document. It reports every cell that cannot be read, and returns false if one cannot.
func readRow(c *Catalog, t *table, rec record, from Origin, found *problems) (*Row, bool) {
	in := &rowReader{catalog: c, table: t, record: rec, found: found}
	r := &Row{
		ID:           in.id(),
		Product:      in.product(),
		Ports:        in.ports(),
		Transport:    in.transport(),
		Source:       in.roles("source"),
		Target:       in.roles("target"),
		Listener:     End(in.choice("listener", listeners)),
		Relation:     Relation(in.choice("relation", relations)),
		Class:        in.class(),
		Group:        in.group(),
		Each:         Each(in.choice("each", eaches)),
		Period:       in.period(),
		Plane:        in.oneOf("plane", planes),
		Cast:         in.cast(),
		OneWay:       in.choice("reply", replies) == 1,
		Configurable: in.choice("configurable", yesNo) == 1,
		Insecure:     in.oneOf("insecure", c.insecureKinds()),
		Erratum:      in.choice("erratum", yesNo) == 1,
		Note:         in.cell("note"),
		Purpose:      in.cell("purpose"),
		Citation:     in.cell("citation"),
		Origin:       Origin{Document: from.Document, Line: in.line(), Unofficial: from.Unofficial},
	}
	in.printed(r)
	in.ends(r)
	in.wire(r)
	r.Alt = in.alternatives(r)
	return r, !in.bad
}

func (in *rowReader) cell(column string) string { return in.table.cell(in.record, column) }

// fail reports what is wrong with a cell.
func (in *rowReader) fail(column, value, text, hint string) {
	in.bad = true
	in.found.add(Problem{
		File: in.table.name, Line: in.record.line, Column: column, Value: value, Text: text, Hint: hint,
	})
}

func (in *rowReader) id() string {
	id := in.cell("id")
	if !rowID.MatchString(id) {
		in.fail("id", id, "is no id", "an id has letters, digits and . _ -, at most 64")
	}
	return id
}

func (in *rowReader) product() string {
	name := in.cell("product")
	if name == "" {
		in.fail("product", "", "is empty", "name the product the row is printed for")
		return ""
	}
	if _, ok := in.catalog.Product(name); !ok {
		in.fail("product", name, "unknown product", suggest(name, in.catalog.productNames()))
	}
	return name
}

func (in *rowReader) ports() Ports {
	ports, err := parsePorts(in.cell("ports"))
	if err != nil {
		in.fail("ports", in.cell("ports"), err.Error(), "")
	}
	return ports
}

// parsePorts reads "902", "2050-2250" or "2050 to 2250".
func parsePorts(text string) (Ports, error) {
	if strings.ContainsAny(text, ",;|/") {
		return Ports{}, errors.New("one port or one range a row: write a row for each")
	}
	first, last, ranged := strings.Cut(strings.ReplaceAll(text, " to ", "-"), "-")
	if !ranged {
		last = first
	}
	lo, errLo := parsePort(first)
	hi, errHi := parsePort(last)
	switch {
	case errLo != nil:
		return Ports{}, errLo
	case errHi != nil:
		return Ports{}, errHi
	case lo > hi:
		return Ports{}, errors.New("the range is reversed: the lower port stands first")
	}
	return Ports{lo, hi}, nil
}

func parsePort(text string) (uint16, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 16)
	if err != nil || n == 0 {
		return 0, errors.New("a port is 1-65535")
	}
	return uint16(n), nil
}

func (in *rowReader) transport() Transport {
	t, err := parseTransport(in.cell("transport"))
	if err != nil {
		in.fail("transport", in.cell("transport"), err.Error(), "")
	}
	return t
}

// parseTransport reads TCP, UDP or TCP/UDP; case does not count.
func parseTransport(text string) (Transport, error) {
	for _, t := range []Transport{TCP, UDP, TCP | UDP} {
		if strings.EqualFold(text, t.String()) {
			return t, nil
		}
	}
	return 0, errors.New("a transport is TCP, UDP or TCP/UDP")
}

// roles reads a column of roles; a name as a document prints it stands for its role.
func (in *rowReader) roles(column string) []Role {
	if in.cell(column) == "" {
		in.fail(column, "", "is empty", "name a role of roles.csv")
	}
	return in.roleList(column, in.cell(column))
}

func (in *rowReader) roleList(column, text string) []Role {
	var list []Role
	for _, name := range split(text) {
		role, err := in.catalog.RoleNamed(name)
		switch {
		case err != nil:
			in.fail(column, name, "unknown role", suggest(name, in.catalog.roles.names))
		case slices.Contains(list, role):
			in.fail(column, name, "stands here twice", "")
		default:
			list = append(list, role)
		}
	}
	return list
}

// choice returns the position of a cell among the words of a column, 0 for an empty cell.
func (in *rowReader) choice(column string, words []string) int {
	text := in.cell(column)
	if text == "" {
		return 0
	}
	i := slices.Index(words, text)
	if i < 0 {
		in.fail(column, text, "is none of "+strings.Join(words, ", "), suggest(text, words))
		return 0
	}
	return i
}

// oneOf returns a cell that is empty or one of the words.
func (in *rowReader) oneOf(column string, words []string) string {
	if in.cell(column) == "" {
		return ""
	}
	return words[in.choice(column, words)]
}

func (in *rowReader) class() Class {
	text := in.cell("class")
	if text == "" {
		return Class{}
	}
	kind, of, _ := strings.Cut(text, ":")
	i := slices.Index(classes, kind)
	if i < 0 {
		hint := cmp.Or(suggest(kind, classes), "write always, optional, if-used:SERVICE, during:OPERATION or internal:PRODUCT")
		in.fail("class", text, "unknown class", hint)
		return Class{}
	}
	class := Class{Kind: ClassKind(i), Of: of}
	alone := class.Kind == Always || class.Kind == Optional
	switch {
	case alone && strings.Contains(text, ":"):
		in.fail("class", text, kind+" stands alone", "")
	case !alone && !word.MatchString(of):
		in.fail("class", text, kind+" needs a word in lower case", "write for example "+kind+":"+example(class.Kind))
	}
	return class
}

// example returns a word that may follow a class.
func example(kind ClassKind) string {
	switch kind {
	case During:
		return "vmotion"
	case Internal:
		return "vcenter"
	}
	return "ha"
}

// group reads the name of the alternatives a row is one of; "any-of:" before it is allowed.
func (in *rowReader) group() string {
	group := strings.TrimPrefix(in.cell("group"), "any-of:")
	if group != "" && !word.MatchString(group) {
		in.fail("group", group, "is no name for a group", "a group is a word in lower case")
	}
	return group
}

func (in *rowReader) period() time.Duration {
	text := in.cell("period")
	if text == "" || text == "event" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxPeriod {
		in.fail("period", text, "a period is event or whole seconds from 1 to 2678400", "")
		return 0
	}
	return time.Duration(n) * time.Second
}

func (in *rowReader) cast() netip.Addr {
	text := in.cell("cast")
	if text == "" {
		return netip.Addr{}
	}
	if text == "broadcast" {
		return Broadcast
	}
	group, err := netip.ParseAddr(text)
	if err != nil || !group.IsMulticast() {
		in.fail("cast", text, "is no multicast address", "write broadcast, or a group such as 239.255.255.253")
		return netip.Addr{}
	}
	return group
}

// line returns where the document prints the row: the row's own line where the cell is empty.
func (in *rowReader) line() int {
	text := in.cell("line")
	if text == "" {
		return in.record.line
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		in.fail("line", text, "a line is a number from 1", "")
	}
	return n
}

// printed reads what the document prints where a row states something else.
func (in *rowReader) printed(r *Row) {
	read := func(column string, other string) string {
		if text := in.cell(column); text != "" {
			return text
		}
		return other
	}
	r.PortsPrinted = read("ports_printed", r.Ports.String())
	r.TransportPrinted = read("transport_printed", r.Transport.String())
	r.SourcePrinted = read("source_printed", in.cell("source"))
	r.TargetPrinted = read("target_printed", in.cell("target"))
}

// ends reads "source>=4|target>=4": the least major version an end must have.
func (in *rowReader) ends(r *Row) {
	for _, part := range split(in.cell("ends")) {
		end, text, _ := strings.Cut(part, ">=")
		n, err := strconv.Atoi(text)
		switch {
		case err != nil || n < 1:
			in.fail("ends", part, "an end is source>=4 or target>=4", "")
		case end == "source":
			r.SourceMin = n
		case end == "target":
			r.TargetMin = n
		default:
			in.fail("ends", part, "an end is source>=4 or target>=4", "")
		}
	}
}

// wire reads whether the row is seen on a wire: an internal row never is, and no other row stays inside.
func (in *rowReader) wire(r *Row) {
	internal := r.Class.Kind == Internal
	r.OnWire = !internal
	if in.cell("on_wire") != "" && (in.choice("on_wire", yesNo) == 1) == internal {
		in.fail("on_wire", in.cell("on_wire"), "does not fit class "+r.Class.String(),
			"a row of class internal is never on a wire, any other is")
	}
}

// alternatives reads the other readings of a row with an erratum, such as "transport=TCP/UDP" or "exchange".
func (in *rowReader) alternatives(r *Row) []Alt {
	var list []Alt
	for part := range strings.SplitSeq(in.cell("alt"), ";") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, in.alternative(part))
		}
	}
	if len(list) > 0 && !r.Erratum {
		in.fail("alt", in.cell("alt"), "stands in a row without an erratum", "write y under erratum")
	}
	return list
}

func (in *rowReader) alternative(text string) Alt {
	key, value, _ := strings.Cut(text, "=")
	switch key {
	case "exchange":
		if text == key {
			return Alt{Exchange: true}
		}
	case "transport":
		t, err := parseTransport(value)
		if err != nil {
			in.fail("alt", text, err.Error(), "")
		}
		return Alt{Transport: t}
	case "source", "target":
		list := in.roleList("alt", value)
		if list == nil && !in.bad {
			in.fail("alt", text, "names no role", "")
		}
		if key == "source" {
			return Alt{Source: list}
		}
		return Alt{Target: list}
	}
	in.fail("alt", text, "is no other reading", "write transport=TCP, source=ROLE, target=ROLE or exchange")
	return Alt{}
}
