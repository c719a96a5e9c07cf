package inventory

import (
	"fmt"
	"strings"
	"testing"

	"flowvet/catalog"
)

func TestAListWithoutEndIsRefused(t *testing.T) {
	var hosts, ansible strings.Builder
	ansible.WriteString("[esx]\n")
	for i := range maxImported + 1 {
		fmt.Fprintf(&hosts, "10.%d.%d.%d a\n", i>>16, i>>8&255, i&255)
		fmt.Fprintf(&ansible, "a ansible_host=10.%d.%d.%d\n", i>>16, i>>8&255, i&255)
	}
	for _, c := range []struct {
		what, want string
		format     Format
		text       string
	}{
		{"addresses of one machine", "names more than 250000 addresses", FormatHosts, hosts.String()},
		{"a host with as many addresses", "names more than 250000 addresses", FormatAnsible, ansible.String()},
		{"a range of a million", `stands for more than 100000 hosts`, FormatAnsible, "[esx]\na[1:1000000]\n"},
		{"ranges of ranges", `stands for more than 100000 hosts`, FormatAnsible, "[esx]\na[1:999][1:999]\n"},
		{"brackets without end", `is longer than 1024 bytes`, FormatAnsible, "[esx]\n" + strings.Repeat("[1:1]", 1e5) + "\n"},
		{"YAML that refers to itself", "an alias (refused", FormatAnsible, "all: {children: &a {b: {children: *a}}}\n"},
		{"an inventory of more than 4 MiB", "is larger than 4 MiB", FormatCSV, strings.Repeat("#", MaxFileSize+1)},
		{"text of two bytes a letter", "is UTF-16: save it as UTF-8", FormatHosts, "\xff\xfe1\x00"},
		{"a workbook of Excel 97", "export it as xlsx or csv", "", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"},
	} {
		_, err := ReadSource("file", []byte(c.text), SourceOptions{Format: c.format}, catalog.Default())
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Count(err.Error(), "\n") > 1 {
			t.Errorf("%s: got %.300v, want %q", c.what, err, c.want)
		}
	}
}

func TestTheProductIsReadFromWhatAHostSays(t *testing.T) {
	for version, want := range map[string]string{
		"VMware ESX 4.1.0 build-260247":           "ESX 4.1",
		"VMware ESXi 7.0.3 build-20036589":        "ESXi 7.0",
		"VMware ESX Server 3.5.0 build-110268":    "ESX 3.5",
		"VMware ESX Server 3i 3.5.0 build-123629": "ESXi 3.5",
		"ESXi 5.5":                       "ESXi 5.5",
		"VMware Server 2.0.2":            "",
		"4.1":                            "",
		"VMware ESXi 4.1\u202e.0 build-": "ESXi 4.1",
	} {
		if got, _ := productOf(version); got != want {
			t.Errorf("%q: got %q, want %q", version, got, want)
		}
	}
}

func TestNamesSuggestOnlyWhatTheySay(t *testing.T) {
	for name, want := range map[string]string{
		"vcenter01": "vCenter", "dc1-vcsa-2.lab": "vCenter", "VC01": "vCenter", "srm-a": "Site Recovery Manager", "vum": "Update Manager",
		"dns01": "dns-server", "sql02": "mssql-server", "review-2": "", "shop": "", "advice": "", "web.vcenter.lab": "",
	} {
		m := &imported{name: said{text: name}}
		guess(m, nameHints())
		if got := texts(append(m.products, m.roles...)); got != want || (m.guess != "") != (want != "") {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for group, want := range map[string]string{
		"vMotion-A": "vmotion", "pg_vmotion_12": "vmotion", "Management Network": "mgmt", "FT Logging": "ft", "iSCSI-1": "storage",
		"Shift": "", "VMkernel": "", "Management and vMotion": "",
	} {
		if got := planeNamed(group, planeHints()); got != want {
			t.Errorf("%s: got %q, want %q", group, got, want)
		}
	}
}
