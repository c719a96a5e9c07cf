// Package packaging_test holds the packages that packaging/build made against what they promise: FLOWVET_PACKAGES names the
// folder. They are installed into a root of their own, so that the test leaves this machine as it was.
package packaging_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// packageIn returns the one package of a kind, or skips the test.
func packageIn(t *testing.T, pattern string, needs ...string) string {
	t.Helper()
	folder := os.Getenv("FLOWVET_PACKAGES")
	if folder == "" {
		t.Skip("FLOWVET_PACKAGES names no folder of packages: packaging/build makes one")
	}
	for _, program := range needs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not there", program)
		}
	}
	found, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %v in %s, want one", pattern, found, folder)
	}
	return found[0]
}

// run runs a command and returns what it printed.
func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// installed lists what a package holds.
func installed() []string {
	return []string{
		"usr/bin/flowvet", "usr/lib/systemd/system/flowvet.service", "usr/lib/tmpfiles.d/flowvet.conf", "etc/flowvet/config.yaml",
		"usr/share/man/man1/flowvet.1.gz", "usr/share/bash-completion/completions/flowvet", "usr/share/doc/flowvet/copyright",
	}
}

func TestDebianPackageIsInstalledAndRemoved(t *testing.T) {
	deb := packageIn(t, "*.deb", "dpkg")
	if os.Getuid() != 0 {
		t.Skip("dpkg installs only for root")
	}
	root := t.TempDir()
	for _, folder := range []string{"var/lib/dpkg/info", "var/lib/dpkg/updates"} {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "var/lib/dpkg/status"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, "dpkg", "--root="+root, "--force-not-root,architecture", "--install", deb)
	for _, name := range installed() {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			t.Error(err)
		}
	}
	if out := run(t, filepath.Join(root, "usr/bin/flowvet"), "version"); !strings.Contains(out, "catalogue built-in: 343 rows, sha256 ") {
		t.Errorf("the version says nothing of the catalogue: %s", out)
	}
	t.Setenv("FLOWVET_CONFIG", filepath.Join(root, "etc/flowvet/config.yaml"))
	out, err := exec.Command(filepath.Join(root, "usr/bin/flowvet"), "live").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "no interface named") {
		t.Errorf("with the configuration as installed: %v\n%s; want it to ask for the interface", err, out)
	}
	run(t, "dpkg", "--root="+root, "--force-not-root", "--purge", "flowvet")
	for _, name := range installed() {
		if _, err := os.Lstat(filepath.Join(root, name)); err == nil {
			t.Errorf("%s is left behind", name)
		}
	}
}

// TestRedHatPackageHoldsTheSame holds the rpm against the deb: the same files, byte by byte and with the same modes, the same
// configuration file, and no scripts in either.
func TestRedHatPackageHoldsTheSame(t *testing.T) {
	rpm, deb := packageIn(t, "*.rpm", "rpm", "rpm2cpio", "cpio"), packageIn(t, "*.deb", "dpkg-deb")
	roots := [2]string{t.TempDir(), t.TempDir()}
	run(t, "dpkg-deb", "--extract", deb, roots[0])
	run(t, "sh", "-c", `rpm2cpio "$0" | (cd "$1" && cpio --extract --make-directories --no-absolute-filenames --quiet)`, rpm, roots[1])
	if a, b := contents(t, roots[0]), contents(t, roots[1]); !maps.Equal(a, b) {
		t.Errorf("the deb holds\n%v\nthe rpm\n%v", a, b)
	}
	listed := run(t, "rpm", "--query", "--list", "--package", rpm)
	for _, name := range installed() {
		if !strings.Contains(listed, "/"+name+"\n") {
			t.Errorf("no %s in\n%s", name, listed)
		}
	}
	const config = "/etc/flowvet/config.yaml\n"
	if out := run(t, "rpm", "--query", "--configfiles", "--package", rpm); out != config {
		t.Errorf("the rpm's configuration files: %q", out)
	}
	if out := run(t, "dpkg-deb", "--info", deb, "conffiles"); out != config {
		t.Errorf("the deb's configuration files: %q", out)
	}
	if out := run(t, "rpm", "--query", "--scripts", "--package", rpm); out != "" {
		t.Errorf("the rpm runs scripts:\n%s", out)
	}
	for _, script := range []string{"preinst", "postinst", "prerm", "postrm"} {
		if out, err := exec.Command("dpkg-deb", "--info", deb, script).Output(); err == nil {
			t.Errorf("the deb runs a %s:\n%s", script, out)
		}
	}
}

// contents returns the mode and the checksum of every file below a folder.
func contents(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, root)] = fmt.Sprintf("%v %x", info.Mode(), sha256.Sum256(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestSystemdTakesTheUnit(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not there")
	}
	unit, err := os.ReadFile("flowvet.service")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "flowvet.service")
	here := strings.Replace(string(unit), "/usr/bin/flowvet", "/bin/true", 1)
	if err := os.WriteFile(path, []byte(here), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := run(t, "systemd-analyze", "verify", "--man=no", path); out != "" {
		t.Error(out)
	}
}
