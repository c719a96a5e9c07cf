// Package repo_test holds the repository's own promises as tests: who may import whom, which library stays where, that
// everything exported is explained, and that nothing of one machine or one place is written into it.
package repo_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mayImport is the import graph of the packages, as policy. Do not change it to make a build pass: a new arrow is a
// decision about the design, with its reason in docs/design.md. Tests may import what they like.
var mayImport = map[string][]string{
	"capture":             {"capture/flowrecord"},
	"capture/capturetest": {},
	"capture/filter":      {},
	"capture/flowrecord":  {},
	"catalog":             {},
	"catalog/export":      {"catalog", "report", "safejson"},
	"confine":             {},
	"evidence":            {"capture", "match", "report"},
	"inventory":           {"capture", "catalog", "inventory/xlsx", "numbering"},
	"inventory/xlsx":      {},
	"live":                {"capture", "inventory", "match", "report"},
	"live/alert":          {"live", "match", "report", "safejson"},
	"live/evidence":       {"capture", "evidence", "live", "match", "report"},
	"live/metrics":        {"capture", "live", "match"},
	"live/systemd":        {"capture", "live"},
	"match":               {"capture", "capture/filter", "catalog", "inventory", "numbering"},
	"numbering":           {},
	"report":              {"capture", "capture/flowrecord", "catalog", "inventory", "match", "numbering", "safejson"},
	"rules":               {"catalog", "inventory", "match", "report"},
	"rules/firewall":      {},
	"rules/openings":      {"capture", "catalog", "inventory", "match", "report", "rules/firewall", "safejson"},
	"safejson":            {},
	"cmd/flowvet":         {"capture", "capture/filter", "catalog", "catalog/export", "confine", "evidence", "inventory", "live", "live/alert", "live/evidence", "live/metrics", "live/systemd", "match", "report", "rules", "rules/firewall", "rules/openings", "safejson"},
	"cmd/flowvet-vcenter": {"catalog", "inventory", "report", "rules/firewall"},
	"bench":               {},
}

// mayUse says which packages may import a library.
var mayUse = map[string][]string{
	"github.com/google/gopacket":       {"capture", "capture/capturetest"}, // and tests
	"github.com/netsampler/goflow2/v2": {"capture/flowrecord"},
	"github.com/ulikunitz/xz":          {"capture"},
	"github.com/spf13/pflag":           {"cmd/flowvet", "cmd/flowvet-vcenter"},
	"github.com/fatih/color":           {"report"},
	"go.yaml.in/yaml/v3":               {"cmd/flowvet", "catalog", "inventory", "match", "report"},
	"golang.org/x/net":                 {"capture/filter"},
	"golang.org/x/sys":                 {"capture", "capture/capturetest", "confine"},
	"kernel.org/pub/linux/libs":        {"confine"},
	"github.com/vmware/govmomi":        {"cmd/flowvet-vcenter"}, // which nothing imports: no client of a vCenter is in flowvet
	"golang.org/x/term":                {"cmd/flowvet", "cmd/flowvet-vcenter"},
	"net":                              {"capture", "capture/capturetest", "cmd/flowvet-vcenter", "live/alert", "live/metrics", "live/systemd"},
	"net/http":                         {"cmd/flowvet-vcenter", "live/alert", "live/metrics"},
	"os/exec":                          {"bench"},
}

// sourceFile is one parsed Go file.
type sourceFile struct {
	name   string // slash-separated, from the root
	folder string
	test   bool
	tree   *ast.File
}

// sources parses every Go file of the repository.
func sources(t *testing.T) []sourceFile {
	t.Helper()
	var files []sourceFile
	for _, name := range tracked(t) {
		if path.Ext(name) != ".go" {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), filepath.FromSlash(name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, sourceFile{name: name, folder: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), tree: tree})
	}
	return files
}

// tracked lists the files of the tree; what a hidden folder holds is the tools' own, except for the checks in .ci.
func tracked(t *testing.T) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if hidden := strings.HasPrefix(entry.Name(), ".") && name != "."; hidden && entry.Name() != ".ci" {
				return filepath.SkipDir
			}
			return nil
		}
		names = append(names, filepath.ToSlash(name))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestPackagesImportOnlyWhatTheGraphAllows(t *testing.T) {
	for _, file := range sources(t) {
		if file.test {
			continue
		}
		allowed, known := mayImport[file.folder]
		if !known {
			t.Errorf("%s: package %s is not in the import graph", file.name, file.folder)
			continue
		}
		for _, spec := range file.tree.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			if local, ours := strings.CutPrefix(imported, "flowvet/"); ours && !slices.Contains(allowed, local) {
				t.Errorf("%s: imports %s; %s may import %v", file.name, imported, file.folder, allowed)
			}
		}
	}
}

func TestLibrariesStayWhereTheyBelong(t *testing.T) {
	for _, file := range sources(t) {
		if file.test {
			continue
		}
		for _, spec := range file.tree.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			if allowed, ruled := mayUse[library(imported)]; ruled && !slices.Contains(allowed, file.folder) {
				t.Errorf("%s: imports %s; only %v may", file.name, imported, allowed)
			}
		}
	}
}

// library returns the rule that an import path falls under: itself, or the module it is part of.
func library(imported string) string {
	for module := range mayUse {
		if strings.Contains(module, ".") && strings.HasPrefix(imported, module+"/") {
			return module
		}
	}
	return imported
}

func TestHostileInputNeverMeetsTheLibrarysFragileParts(t *testing.T) {
	forbidden := []string{"NewPacket", "NewPacketSource", "NewNgReader", "NewDecodingLayerParser"}
	for _, file := range sources(t) {
		if file.test || file.folder != "capture" {
			continue
		}
		ast.Inspect(file.tree, func(n ast.Node) bool {
			if call, ok := n.(*ast.SelectorExpr); ok && slices.Contains(forbidden, call.Sel.Name) {
				t.Errorf("%s: uses %s", file.name, call.Sel.Name)
			}
			return true
		})
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	explained := map[string]bool{}
	for _, file := range sources(t) {
		if file.test {
			continue
		}
		says := file.tree.Doc != nil && len(strings.TrimSpace(file.tree.Doc.Text())) > 0
		explained[file.folder] = explained[file.folder] || says
	}
	for folder, says := range explained {
		if !says {
			t.Errorf("package %s has no package comment", folder)
		}
	}
}

func TestEverythingExportedIsExplained(t *testing.T) {
	for _, file := range sources(t) {
		if file.test || file.tree.Name.Name == "main" {
			continue
		}
		for _, decl := range file.tree.Decls {
			for _, name := range unexplained(decl) {
				t.Errorf("%s: %s has no doc comment", file.name, name)
			}
		}
	}
}

// unexplained returns the exported names of a declaration that no comment explains.
func unexplained(decl ast.Decl) (names []string) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			names = append(names, unexplainedSpec(d, spec)...)
		}
	}
	return names
}

// unexplainedSpec does the same for one line of a declaration: a comment on the group explains all of it.
func unexplainedSpec(group *ast.GenDecl, spec ast.Spec) (names []string) {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() && s.Doc == nil && group.Doc == nil {
			names = append(names, s.Name.Name)
		}
	case *ast.ValueSpec:
		for _, name := range s.Names {
			if name.IsExported() && s.Doc == nil && s.Comment == nil && group.Doc == nil {
				names = append(names, name.Name)
			}
		}
	}
	return names
}

// exportedReceiver reports whether a function can be called from outside: it has no receiver, or an exported one.
func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return true
	}
	receiver := f.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	if generic, ok := receiver.(*ast.IndexExpr); ok {
		receiver = generic.X
	}
	name, ok := receiver.(*ast.Ident)
	return ok && name.IsExported()
}

func TestNoCodeRunsBeforeMain(t *testing.T) {
	for _, file := range sources(t) {
		for _, decl := range file.tree.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: has an init function", file.name)
			}
		}
	}
}

func TestModuleReplacesNothing(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mod)) {
		if strings.HasPrefix(strings.TrimSpace(line), "replace") {
			t.Errorf("go.mod: %s", strings.TrimSpace(line))
		}
	}
}

func TestNoPlaceOrMachineIsWrittenDown(t *testing.T) {
	// The words stand here in halves, so that this file does not hold them.
	forbidden := []string{"/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "bash_" + "jobs", ".lib" + "rary/", "sub" + "agent", "TO" + "DO", "FIX" + "ME"}
	for _, name := range tracked(t) {
		if !textFile(name) {
			continue
		}
		data, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range forbidden {
			if strings.Contains(string(data), word) {
				t.Errorf("%s: mentions %q", name, word)
			}
		}
	}
}

// textFile reports whether a file is one that people write; captures and fuzz seeds are bytes.
func textFile(name string) bool {
	switch path.Ext(name) {
	case ".go", ".md", ".csv", ".yaml", ".txt", ".txtar", ".golden", ".mod", "":
		return !strings.Contains(name, "testdata/fuzz/")
	}
	return false
}
