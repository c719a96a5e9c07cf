package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/rules/firewall"
)

// lab is a simulated vCenter.
type lab struct{ *simulator.Server }

const (
	labUser     = "auditor"
	labPassword = "correct horse"
)

// newLab starts a vCenter that speaks TLS, with so many hosts in each of 3 clusters, as their administrators would have
// configured them: vmk0 for management, vmk1 for vMotion, vmk2 for Fault Tolerance, vmk3 for nothing in the network of the
// NFS server. The third cluster has no HA, and one host stands alone.
func newLab(t *testing.T, hosts int) *lab {
	t.Helper()
	model := simulator.VPX()
	model.Cluster, model.ClusterHost, model.Host, model.Machine = 3, hosts, 1, 1
	model.ServiceContent.About.Version = "4.1.0"
	if err := model.Create(); err != nil {
		t.Fatal(err)
	}
	model.Service.TLS = new(tls.Config)
	model.Service.Listen = &url.URL{Host: "127.0.0.1:0", User: url.UserPassword(labUser, labPassword)}
	l := &lab{model.Service.NewServer()}
	l.Config.ErrorLog = log.New(io.Discard, "", 0) // refused certificates are what some tests want
	t.Cleanup(func() {
		l.Close()
		model.Remove()
	})
	entities := model.Map().All("HostSystem")
	slices.SortFunc(entities, func(a, b mo.Entity) int { return cmp.Compare(a.Entity().Name, b.Entity().Name) })
	for i, e := range entities {
		configure(e.(*simulator.HostSystem), i+1)
	}
	for _, e := range model.Map().All("ClusterComputeResource") {
		c := e.(*simulator.ClusterComputeResource)
		c.ConfigurationEx.(*types.ClusterConfigInfoEx).DasConfig.Enabled = types.NewBool(c.Name != "DC0_C2")
	}
	return l
}

// configure gives host n its addresses, the last byte of which is n, and its storage.
func configure(h *simulator.HostSystem, n int) {
	h.Summary.ManagementServerIp = "10.20.0.250"
	product := *h.Summary.Config.Product
	product.Version, product.ProductLineId = "4.1.0", "embeddedEsx"
	h.Summary.Config.Product = &product
	var nics []types.HostVirtualNic
	for device, network := range []string{"10.20.0", "10.20.1", "10.20.2", "10.20.3"} {
		nics = append(nics, types.HostVirtualNic{
			Device: fmt.Sprintf("vmk%d", device), Key: fmt.Sprintf("key-vim.host.VirtualNic-vmk%d", device),
			Spec: types.HostVirtualNicSpec{Ip: &types.HostIpConfig{IpAddress: fmt.Sprintf("%s.%d", network, n), SubnetMask: "255.255.255.0"}},
		})
	}
	h.Config.Network.Vnic = nics
	var nets []types.VirtualNicManagerNetConfig
	for device, service := range []string{"management", "vmotion", "faultToleranceLogging"} {
		var candidates []types.HostVirtualNic
		for _, nic := range nics {
			nic.Key = service + "." + nic.Key
			candidates = append(candidates, nic)
		}
		nets = append(nets, types.VirtualNicManagerNetConfig{
			NicType: service, CandidateVnic: candidates, SelectedVnic: []string{candidates[device].Key},
		})
	}
	h.Config.VirtualNicManagerInfo = &types.HostVirtualNicManagerInfo{NetConfig: nets}
	h.Config.FileSystemVolume = &types.HostFileSystemVolumeInfo{MountInfo: []types.HostFileSystemMountInfo{{
		Volume: &types.HostNasVolume{HostFileSystemVolume: types.HostFileSystemVolume{Type: "NFS"}, RemoteHost: "10.20.3.200"},
	}}}
}

// thumbprint returns the SHA-256 of the vCenter's certificate.
func (l *lab) thumbprint() string { return colons(sha256.Sum256(l.Certificate().Raw)) }

// authority writes the certificate as one that is trusted.
func (l *lab) authority(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: l.Certificate().Raw})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// asked runs the program against the lab.
func (l *lab) asked(t *testing.T, password string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	t.Setenv(passwordVariable, password)
	t.Setenv(userVariable, "")
	var out, errs bytes.Buffer
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	status = run(append([]string{l.URL.Host}, args...), null, &out, &errs)
	return status, out.String(), errs.String()
}

func TestEveryHostIsReadWithItsPlanes(t *testing.T) {
	l := newLab(t, 13)
	status, text, errs := l.asked(t, labPassword, "--user", labUser, "--thumbprint", l.thumbprint())
	if status != statusGood || errs != "" {
		t.Fatalf("status %d: %s", status, errs)
	}
	v, err := inventory.Parse("lab.yaml", []byte(text), catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Warnings) > 0 {
		t.Errorf("warnings: %v", v.Warnings)
	}
	clusters, hosts := map[string]int{}, 0
	for _, m := range v.Machines {
		if m.Products == nil || m.Products[0].Family != "ESXi" {
			continue
		}
		hosts++
		clusters[m.Cluster]++
		wantHost(t, v, m)
	}
	if hosts != 40 || clusters["DC0_C0"] != 13 || clusters["DC0_C1"] != 13 || clusters["DC0_C2"] != 13 || clusters[""] != 1 {
		t.Errorf("%d hosts in clusters %v", hosts, clusters)
	}
	vc := v.Machines[0]
	if vc.Products[0].Family != "vCenter" || len(vc.Addrs) != 1 || vc.Addrs[0].Addr.String() != "10.20.0.250" {
		t.Errorf("the vCenter is %+v", vc)
	}
	nfs := v.Machine("storage-10.20.3.200")
	if nfs == nil || nfs.Addrs[0].Roles[0].Role != "nfs-server" {
		t.Errorf("the NFS server is %+v", nfs)
	}
}

// wantHost checks one host of the lab.
func wantHost(t *testing.T, v *inventory.Inventory, m *inventory.Machine) {
	t.Helper()
	planes := make([]string, 0, 4)
	for _, a := range m.Addrs {
		planes = append(planes, a.Plane)
	}
	if got := strings.Join(planes, " "); got != "mgmt vmotion ft storage" {
		t.Errorf("%s: planes %s", m.Name, got)
	}
	if m.Products[0].String() != "ESXi 4.1" || m.ManagedBy != v.Machines[0].Name {
		t.Errorf("%s: %s, managed by %s", m.Name, m.Products[0], m.ManagedBy)
	}
	uses, not := "nfs", "ha"
	if m.Cluster == "DC0_C0" || m.Cluster == "DC0_C1" {
		uses, not = "ha nfs", ""
	}
	if strings.Join(m.Uses, " ") != uses || strings.Join(m.NotUses, " ") != not {
		t.Errorf("%s in %q: uses %v, not %v", m.Name, m.Cluster, m.Uses, m.NotUses)
	}
}

func TestOnlyTheTrustedVCenterIsSpokenTo(t *testing.T) {
	l := newLab(t, 1)
	other := strings.Repeat("00:", 31) + "00"
	for _, tt := range []struct {
		name   string
		args   []string
		status int
		says   string // of standard error, one line; empty: nothing
	}{
		{"by its thumbprint", []string{"--thumbprint", l.thumbprint()}, statusGood, ""},
		{"by its thumbprint without colons", []string{"--thumbprint", strings.ReplaceAll(l.thumbprint(), ":", "")}, statusGood, ""},
		{"by its authority", []string{"--ca-file", l.authority(t)}, statusGood, ""},
		{"another thumbprint is refused, and says which it has", []string{"--thumbprint", other}, statusUsage, "refused: its certificate has the thumbprint " + l.thumbprint()},
		{"no trust is refused, and says how to trust", nil, statusUsage, "then trust it by --thumbprint " + l.thumbprint()},
		{"half a thumbprint is none", []string{"--thumbprint", "5E:FF"}, statusUsage, "32 pairs"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, _, errs := l.asked(t, labPassword, append(tt.args, "--user", labUser)...)
			if status != tt.status || !strings.Contains(errs, tt.says) || tt.says == "" && errs != "" || strings.Count(errs, "\n") > 1 {
				t.Errorf("status %d: %s", status, errs)
			}
		})
	}
}

func TestAWrongPasswordIsOneClearLine(t *testing.T) {
	l := newLab(t, 1)
	status, out, errs := l.asked(t, "wrong", "--user", labUser, "--thumbprint", l.thumbprint())
	want := "flowvet-vcenter: " + l.URL.Host + ": no such user, or a wrong password: auditor\n"
	if status != statusUsage || out != "" || errs != want {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
}

// soapMethod finds the method in a request to the API.
var soapMethod = regexp.MustCompile(`<Body[^>]*><(\w+)`)

// listen returns a list of the methods that the lab is asked for from now on.
func (l *lab) listen() *[]string {
	var methods []string
	handler := l.Config.Handler
	l.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if found := soapMethod.FindSubmatch(body); found != nil {
			methods = append(methods, string(found[1]))
		}
		handler.ServeHTTP(w, r)
	})
	return &methods
}

func TestItOnlyReadsAndLogsOut(t *testing.T) {
	l := newLab(t, 1)
	methods := l.listen()
	if status, _, errs := l.asked(t, labPassword, "--user", labUser, "--thumbprint", l.thumbprint()); status != statusGood {
		t.Fatal(errs)
	}
	want := "RetrieveServiceContent Login QueryOptions" + strings.Repeat(" CreateContainerView RetrievePropertiesEx DestroyView", 3) + " Logout"
	if got := strings.Join(*methods, " "); got != want {
		t.Errorf("asked for\n%s\nwant\n%s", got, want)
	}
}

func TestThePasswordIsNotSentElsewhere(t *testing.T) {
	elsewhere, l := newLab(t, 1), newLab(t, 1)
	methods := elsewhere.listen()
	l.Config.Handler = http.RedirectHandler(elsewhere.URL.String(), http.StatusFound)
	status, _, errs := l.asked(t, labPassword, "--user", labUser, "--thumbprint", l.thumbprint())
	if status != statusUsage || !strings.Contains(errs, "not followed") || len(*methods) > 0 {
		t.Errorf("status %d, asked elsewhere for %v: %s", status, *methods, errs)
	}
}

func TestAServerThatDoesNotAnswerIsGivenUp(t *testing.T) {
	l := newLab(t, 1)
	status, _, errs := l.asked(t, labPassword, "--user", labUser, "--thumbprint", l.thumbprint(), "--timeout", "1ns")
	if status != statusUsage || !strings.Contains(errs, "no answer within 1ns") {
		t.Errorf("status %d: %s", status, errs)
	}
}

func TestTheFirewallsAreWrittenAsTheyAreRead(t *testing.T) {
	l := newLab(t, 1)
	path := filepath.Join(t.TempDir(), "firewall.json")
	status, _, errs := l.asked(t, labPassword, "--user", labUser, "--thumbprint", l.thumbprint(), "--firewall", path)
	if status != statusGood {
		t.Fatalf("status %d: %s", status, errs)
	}
	f, err := firewall.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Hosts) != 4 {
		t.Fatalf("%d hosts", len(f.Hosts))
	}
	h := f.Hosts[0]
	var ssh *firewall.RuleSet
	for i := range h.RuleSets {
		if h.RuleSets[i].Key == "sshServer" {
			ssh = &h.RuleSets[i]
		}
	}
	if h.Incoming != firewall.Blocked || len(h.Addresses) != 4 || ssh == nil || ssh.Rules[0].Port != 22 || ssh.Allowed != nil {
		t.Errorf("%s: incoming %s, %d addresses, ssh %+v", h.Name, h.Incoming, len(h.Addresses), ssh)
	}
}

// kept is an inventory that somebody wrote by hand, of the same lab.
const kept = `# our lab, kept by hand
machines:
  - name: vc          # the big one
    products: [vCenter 4.1, Update Manager]
    addresses: [10.20.0.250]
  - name: DC0_C0_H0
    products: [ESXi 4.1]
    cluster: gold     # renamed last week
    addresses:
      - {address: 10.20.0.1, plane: mgmt, roles: [hypervisor-host, dns-server]}
uses: [dns]
`

func TestWhatPeopleWroteStays(t *testing.T) {
	l := newLab(t, 1)
	path := filepath.Join(t.TempDir(), "lab.yaml")
	if err := os.WriteFile(path, []byte(kept), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, run := range []string{"first", "second"} {
		status, out, errs := l.asked(t, labPassword, "--user", labUser, "--thumbprint", l.thumbprint(), "--into", path)
		if want := `machine DC0_C0_H0: cluster: "DC0_C0", but "gold" at ` + path + ":"; status != statusDiffers || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%s: status %d: %s%s", run, status, out, errs)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(kept) {
			if !strings.Contains(string(text), line) {
				t.Errorf("%s: %q is gone:\n%s", run, line, text)
			}
		}
		v, err := inventory.Parse("lab.yaml", text, catalog.Default())
		if err != nil {
			t.Fatalf("%s: %v", run, err)
		}
		if h := v.Machine("DC0_C0_H0"); len(v.Machines) != 6 || h.ManagedBy != "vc" || len(h.Addrs) != 4 {
			t.Errorf("%s: %d machines; %s is managed by %q and has %d addresses", run, len(v.Machines), h.Name, h.ManagedBy, len(h.Addrs))
		}
	}
}

func TestMistakesAreOneLine(t *testing.T) {
	there := filepath.Join(t.TempDir(), "lab.yaml")
	if err := os.WriteFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		args []string
		says string
	}{
		{"no address", []string{"--user", "a"}, "one ADDRESS is wanted"},
		{"no user", []string{"vc"}, "Name a user with --user"},
		{"a password in the address", []string{"https://a:secret@vc", "--user", "a"}, "no place in the address"},
		{"plain http", []string{"http://vc", "--user", "a"}, "only https"},
		{"a password as a flag", []string{"vc", "--user", "a", "--password", "x"}, "unknown flag"},
		{"an inventory that is there", []string{"vc", "--user", "a", "-o", there}, "never overwritten"},
		{"an inventory to add to that is not there", []string{"vc", "--user", "a", "--into", there + "x"}, "-o writes a new one"},
		{"an inventory in CSV to add to", []string{"vc", "--user", "a", "--into", "lab.csv"}, "name a YAML file"},
		{"a catalogue that is none", []string{"vc", "--user", "a", "--catalog", there}, "lab.yaml"},
		{"both kinds of trust", []string{"vc", "--user", "a", "--ca-file", "x", "--thumbprint", strings.Repeat("00", 32)}, "one of them"},
		{"no authority in the file", []string{"vc", "--user", "a", "--ca-file", there}, "holds no certificate"},
		{"an empty password file", []string{"vc", "--user", "a", "--password-file", there}, "is no password"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(passwordVariable, "x")
			var out, errs bytes.Buffer
			status := run(tt.args, os.Stdin, &out, &errs)
			if status != statusUsage || !strings.Contains(errs.String(), tt.says) || strings.Count(errs.String(), "\n") != 1 || out.Len() > 0 {
				t.Errorf("status %d: %s%s", status, &out, &errs)
			}
			if strings.Contains(errs.String(), "secret") {
				t.Errorf("the password is printed: %s", &errs)
			}
		})
	}
}
