package inventory

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"

	"flowvet/inventory/xlsx"
)

// The sheets of an RVTools export that are read; "vSC+VMK" is its tab, vSC_VMK the sheet.
const (
	sheetHosts    = "vHost"
	sheetAdapters = "vSC_VMK"
	sheetNetwork  = "vNetwork"
	sheetSource   = "vSource"
)

// Columns of RVTools, in lower case. IP Address of vNetwork is IPv4 Address since version 4.
const (
	columnHost    = "host"
	columnVersion = "esx version"
	columnServer  = "vi sdk server"
	columnIPv4    = "ip address"
	columnIPv6    = "ip 6 address"
	columnVM      = "vm"
)

// rvtools gathers what the sheets of an export say.
type rvtools struct {
	*sourceReader
	hosts    []*imported
	byName   map[string]*imported // hosts, in lower case
	machines []*imported          // virtual ones
	vms      map[string]*imported // in lower case
	servers  []*server
	byServer map[string]*server
	names    []hint
	planes   []planeHint
}

// server is what the export was taken from: a vCenter, or one host.
type server struct {
	name    said
	hosts   int
	vCenter bool // it says so itself
	version string
}

func newRVTools(r *sourceReader) *rvtools {
	return &rvtools{
		sourceReader: r, names: nameHints(), planes: planeHints(),
		byName: map[string]*imported{}, vms: map[string]*imported{}, byServer: map[string]*server{},
	}
}

// readWorkbook reads an export as a workbook.
func (r *sourceReader) readWorkbook(data []byte) {
	w, err := xlsx.Open(data)
	if err != nil {
		r.addf(0, "%v", err)
		return
	}
	x := newRVTools(r)
	read := 0
	for _, name := range w.Sheets() {
		row, known := x.sheets()[sheetOf(name)]
		if known && len(r.list) == 0 {
			read++
			t := &grid{sourceReader: r, sheet: name}
			t.sheetRows(w, func() { row(t) })
		}
	}
	if read == 0 && len(r.list) == 0 {
		r.addf(0, "has none of RVTools' sheets %s, %s, %s", sheetHosts, sheetAdapters, sheetNetwork)
	}
	x.finish()
}

// sheetOf returns the sheet that a name means: RVTools_tabvHost, tabvHost and vHost are one.
func sheetOf(name string) string {
	name = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(name), "RVTools_"), "tab")
	if name == "vSC+VMK" {
		return sheetAdapters
	}
	return name
}

// sheets returns what reads a row of each sheet.
func (x *rvtools) sheets() map[string]func(*grid) {
	return map[string]func(*grid){
		sheetHosts: x.host, sheetAdapters: x.adapter, sheetNetwork: x.network, sheetSource: x.sourceRow,
	}
}

// readRVToolsCSV reads one sheet of an export as a file of columns. Its header says which.
func (r *sourceReader) readRVToolsCSV(text []byte) {
	x := newRVTools(r)
	t := &grid{sourceReader: r}
	var row func(*grid)
	t.rows(text, func() {
		if row == nil {
			sheet := rvtoolsSheet(t.cells)
			if row = x.sheets()[sheet]; row == nil {
				r.addf(t.number, "these are the columns of none of RVTools' sheets %s, %s, %s", sheetHosts, sheetAdapters, sheetNetwork)
				return
			}
		}
		row(t)
	})
	x.finish()
}

// rvtoolsSheet says which sheet has these columns; empty: none that is read.
func rvtoolsSheet(columns []string) string {
	has := func(names ...string) bool {
		return slices.ContainsFunc(columns, func(c string) bool { return slices.Contains(names, fold(c)) })
	}
	switch {
	case has(columnHost) && has(columnVersion):
		return sheetHosts
	case has(columnHost) && has("device") && has(columnIPv4, "subnet mask"):
		return sheetAdapters
	case has(columnVM) && has("network") && has(columnIPv4, "ipv4 address"):
		return sheetNetwork
	case has("api type") && has(columnServer):
		return sheetSource
	}
	return ""
}

// hostNamed returns the host of that name.
func (x *rvtools) hostNamed(name said) *imported {
	key := strings.ToLower(name.text)
	m := x.byName[key]
	if m == nil {
		m = &imported{name: name}
		x.byName[key] = m
		x.hosts = append(x.hosts, m)
	}
	return m
}

// named returns the name in the current row; false where the row is a header, or has none that can be used.
func (x *rvtools) named(t *grid, sheet, column string, needed ...[]string) (said, bool) {
	if t.columns == nil {
		t.header()
		t.needs(sheet, append([][]string{{column}}, needed...)...)
		return said{}, false
	}
	name := t.cell(column)
	if !name.given() {
		return said{}, false
	}
	if len(x.hosts)+len(x.machines) > maxImported {
		x.addf(t.number, "names more than %d machines", maxImported)
		return said{}, false
	}
	if bad := badName(name.text); bad != "" {
		x.addf(t.number, "%s %s %s", column, quote(name.text), bad)
		return said{}, false
	}
	return name, true
}

// esxVersion is how a host says what it runs: "VMware ESXi 7.0.3 build-20036589", "VMware ESX Server 3i 3.5.0".
var esxVersion = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)^(?:vmware )?(esxi|esx server 3i|esx server|esx) ([0-9]{1,2})\.([0-9]{1,2})\b`)
})

// productOf returns the product that a host runs, as an inventory names it.
func productOf(version string) (string, bool) {
	match := esxVersion().FindStringSubmatch(strings.Join(strings.Fields(version), " "))
	if match == nil {
		return "", false
	}
	family := "ESX"
	if strings.HasSuffix(strings.ToLower(match[1]), "i") {
		family = "ESXi"
	}
	return fmt.Sprintf("%s %s.%s", family, match[2], match[3]), true
}

// host reads a row of vHost.
func (x *rvtools) host(t *grid) {
	name, ok := x.named(t, sheetHosts, columnHost, []string{columnVersion})
	if !ok {
		return
	}
	m := x.hostNamed(name)
	version := t.cell(columnVersion)
	product, known := productOf(version.text)
	switch {
	case known:
		m.products = []said{{text: product, at: version.at}}
	case version.given():
		x.left["versions of hosts that are not understood"]++
	}
	if s := x.free(t, "cluster"); s.given() {
		m.single[cluster] = s
	}
	server := x.free(t, columnServer)
	if s := x.server(server); s != nil && !m.single[managedBy].given() {
		s.hosts++
		m.single[managedBy] = server
	}
}

// free returns a name in the current row, or nothing where it is none that an inventory can have.
func (x *rvtools) free(t *grid, column string) said {
	s := t.cell(column)
	if s.given() && badName(s.text) != "" {
		x.left["names that cannot be printed"]++
		return said{}
	}
	return s
}

// server returns what the export was taken from.
func (x *rvtools) server(name said) *server {
	if !name.given() {
		return nil
	}
	key := strings.ToLower(name.text)
	s := x.byServer[key]
	if s == nil {
		s = &server{name: name}
		x.byServer[key] = s
		x.servers = append(x.servers, s)
	}
	return s
}

// adapter reads a row of vSC_VMK: an adapter of a host's own, with its addresses.
func (x *rvtools) adapter(t *grid) {
	name, ok := x.named(t, sheetAdapters, columnHost, []string{columnIPv4})
	if !ok {
		return
	}
	m := x.hostNamed(name)
	plane, guessed, note := adapterPlane(t.cell("device").text, t.cell("port group").text, t.cell("services").text, x.planes)
	for _, addr := range x.addresses(t, columnIPv4, columnIPv6) {
		a := importedAddr{addr: addr, at: t.at(), guessed: guessed, note: note}
		if plane != "" {
			a.plane = said{text: plane, at: t.at()}
		}
		x.give(m, a)
	}
}

// addresses returns the addresses in columns of the current row.
func (x *rvtools) addresses(t *grid, columns ...string) []netip.Addr {
	var list []netip.Addr
	for _, column := range columns {
		for _, text := range strings.FieldsFunc(t.cell(column).text, func(r rune) bool { return strings.ContainsRune(",;| \t\n", r) }) {
			bare, _, _ := strings.Cut(text, "/")
			addr, err := netip.ParseAddr(bare)
			if err != nil {
				x.addf(t.number, "%s %s is no address%s", column, quote(text), addrHint(bare))
				return nil
			}
			addr = addr.Unmap()
			if reason := noHost(addr); reason != "" {
				x.left[reason]++
			} else if len(list) <= maxImported {
				list = append(list, addr)
			}
		}
	}
	return list
}

// network reads a row of vNetwork: an adapter of a virtual machine.
func (x *rvtools) network(t *grid) {
	v4 := []string{"ipv4 address", columnIPv4}
	name, ok := x.named(t, sheetNetwork, columnVM, v4)
	if !ok || strings.EqualFold(t.cell("template").text, "true") {
		return
	}
	column := v4[0]
	if !t.has(column) {
		column = v4[1]
	}
	key := strings.ToLower(name.text)
	m := x.vms[key]
	if m == nil {
		m = &imported{name: name}
		x.vms[key] = m
		x.machines = append(x.machines, m)
	}
	for _, addr := range x.addresses(t, column, "ipv6 address") {
		x.give(m, importedAddr{addr: addr, at: t.at()})
	}
}

// sourceRow reads a row of vSource: what the export was taken from.
func (x *rvtools) sourceRow(t *grid) {
	if t.columns == nil {
		t.header()
		return
	}
	if s := x.server(x.free(t, columnServer)); s != nil {
		s.vCenter = t.cell("api type").text == "VirtualCenter"
		if match := majorMinor().FindString(t.cell("version").text); match != "" {
			s.version = " " + match
		}
	}
}

// majorMinor is the beginning of a version that an inventory names.
var majorMinor = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9]{1,2}\.[0-9]{1,2}`) })

// finish adds the machines: hosts, what manages them, and the virtual ones, which may turn out to be the latter.
func (x *rvtools) finish() {
	if len(x.list) > 0 {
		return
	}
	for _, m := range x.hosts {
		x.add(m)
	}
	for _, s := range x.servers {
		if m := x.manager(s); m != nil {
			x.add(m)
		}
	}
	for _, m := range x.machines {
		if len(m.addrs) > 0 {
			m.spare = true
			guess(m, x.names)
			x.add(m)
		}
	}
}

// manager returns the vCenter that an export was taken from; nil: it is one host, or nobody knows.
func (x *rvtools) manager(s *server) *imported {
	if x.byName[strings.ToLower(s.name.text)] != nil || !s.vCenter && s.hosts < 2 {
		return nil
	}
	m := &imported{name: s.name}
	m.products = []said{{text: "vCenter" + s.version, at: s.name.at}}
	if addr, err := netip.ParseAddr(s.name.text); err == nil {
		m.addrs = []importedAddr{{addr: addr.Unmap(), at: s.name.at}}
	}
	return m
}
