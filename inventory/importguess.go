package inventory

import (
	"fmt"
	"regexp"
	"strings"
)

// hint is what a name suggests.
type hint struct {
	pattern       *regexp.Regexp
	product, role string
}

// wordIn matches one of some words where no letter touches it: reviewer is no View.
func wordIn(words string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)(?:^|[^a-z])(?:` + words + `)(?:[^a-z]|$)`)
}

// nameHints returns what names of machines suggest, first come first served.
func nameHints() []hint {
	return []hint{
		{wordIn("vcenter|vcsa|virtualcenter|vcva|vc"), "vCenter", ""},
		{wordIn("vum|update-?manager"), "Update Manager", ""},
		{wordIn("srm"), "Site Recovery Manager", ""},
		{wordIn("view|horizon|vdm"), "View", ""},
		{wordIn("dns|ns"), "", "dns-server"},
		{wordIn("ntp"), "", "ntp-server"},
		{wordIn("ad|dc"), "", "ad-server"},
		{wordIn("mssql|sql"), "", "mssql-server"},
		{wordIn("syslog"), "", "syslog-server"},
		{wordIn("nfs|nas|filer"), "", "nfs-server"},
	}
}

// guess gives a machine what its name suggests, if anything.
func guess(m *imported, hints []hint) {
	name, _, _ := strings.Cut(m.name.text, ".")
	for _, h := range hints {
		if !h.pattern.MatchString(name) {
			continue
		}
		if h.product != "" {
			m.products = []said{{text: h.product, at: m.name.at}}
		} else {
			m.roles = []said{{text: h.role, at: m.name.at}}
		}
		m.guess = "by the machine's name"
		return
	}
}

// The planes that a name may tell.
const (
	planeManagement = "mgmt"
	planeVMotion    = "vmotion"
	planeFT         = "ft"
	planeStorage    = "storage"
)

// planeHint is a plane and how names of port groups and services speak of it.
type planeHint struct {
	plane   string
	pattern *regexp.Regexp
}

// planeHints returns what names say of planes.
func planeHints() []planeHint {
	return []planeHint{
		{planeManagement, wordIn(`management|mgmt|mgt|service console|console`)},
		{planeVMotion, wordIn(`vmotion|v-motion`)},
		{planeFT, wordIn(`ft|fault.?tolerance(?:logging)?|ft.?logging`)},
		{planeStorage, wordIn(`storage|iscsi|nfs|vsan|nas`)},
	}
}

// planeNamed returns the plane of which a name speaks; empty: of none, or of several.
func planeNamed(name string, hints []planeHint) string {
	found := ""
	for _, h := range hints {
		if h.pattern.MatchString(name) {
			if found != "" {
				return ""
			}
			found = h.plane
		}
	}
	return found
}

// adapterPlane says what an adapter of a host's own is for: by the services that it carries, where they are known; a
// service console is for management; else by the name of its port group, which is a guess.
func adapterPlane(device, group, services string, hints []planeHint) (plane string, guessed bool, note string) {
	note = device
	if group != "" {
		note = strings.TrimPrefix(fmt.Sprintf("%s, port group %s", device, quote(group)), ", ")
	}
	if plane := planeNamed(services, hints); plane != "" {
		return plane, false, note
	}
	if strings.HasPrefix(strings.ToLower(device), "vswif") {
		return planeManagement, false, note
	}
	if plane := planeNamed(group, hints); plane != "" {
		return plane, true, note + ": " + plane + " is guessed by that name"
	}
	return "", false, note
}
