package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// A flag that is not given takes its value from the environment, else from the configuration file: FLOWVET_MAX_LOSS is
// --max-loss of every command that has one, and the file says of each command what its flags are:
//
//	live:
//	  interface: span0
//	  alert: [stderr, "syslog+unix:///dev/log"]

const (
	environmentPrefix = "FLOWVET_"
	configVariable    = "FLOWVET_CONFIG" // names another file; empty: none
	configName        = "config.yaml"
	systemConfig      = "/etc/flowvet"
	maxConfig         = 1 << 20
)

// settle gives the flags that were not given their values from elsewhere.
func (f *flagSet) settle(getenv func(string) (string, bool)) error {
	if err := f.fromEnvironment(getenv); err != nil {
		return err
	}
	path, text, err := config(getenv)
	if err != nil || path == "" {
		return err
	}
	return f.fromConfig(path, text)
}

// fromEnvironment takes FLOWVET_* for the flags that are not given.
func (f *flagSet) fromEnvironment(getenv func(string) (string, bool)) (failed error) {
	f.VisitAll(func(flag *pflag.Flag) {
		name := variable(flag.Name)
		value, set := getenv(name)
		if failed != nil || flag.Changed || !set || value == "" {
			return
		}
		values := []string{value}
		if repeatable(flag) {
			values = strings.Split(value, ",")
		}
		failed = f.give(flag.Name, values, name)
	})
	return failed
}

// variable is the environment's name of a flag.
func variable(flag string) string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// repeatable reports whether a flag may be given more than once.
func repeatable(flag *pflag.Flag) bool {
	return flag.Value.Type() == "stringArray" || flag.Value.Type() == "stringSlice"
}

// give sets a flag to values that where names the place of.
func (f *flagSet) give(name string, values []string, where string) error {
	for _, v := range values {
		if err := f.Set(name, v); err != nil {
			return usagef("%s: %s", where, f.explain(err))
		}
	}
	return nil
}

// config finds and reads the configuration file: the one that FLOWVET_CONFIG names, else the user's own, else the system's.
func config(getenv func(string) (string, bool)) (path string, text []byte, err error) {
	if named, set := getenv(configVariable); set {
		if named == "" {
			return "", nil, nil
		}
		text, err = readAtMost(named, maxConfig+1)
		return named, text, usageUnlessNil(err)
	}
	folders := []string{systemConfig}
	if home, err := os.UserConfigDir(); err == nil {
		folders = []string{filepath.Join(home, "flowvet"), systemConfig}
	}
	for _, folder := range folders {
		path = filepath.Join(folder, configName)
		if _, err := os.Stat(path); err != nil { // not there, or in a home that is somebody else's after setpriv or sudo
			continue
		}
		text, err = readAtMost(path, maxConfig+1)
		return path, text, usageUnlessNil(err)
	}
	return "", nil, nil
}

func usageUnlessNil(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

// fromConfig takes the command's section of the file for the flags that are not given.
func (f *flagSet) fromConfig(path string, text []byte) error {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return usagef("%s: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	switch {
	case len(text) > maxConfig:
		return usagef("%s: larger than %d bytes", path, maxConfig)
	case len(document.Content) == 0:
		return nil
	}
	sections := document.Content[0]
	if sections.Kind != yaml.MappingNode {
		return usagef("%s:%d: write COMMAND: and below it FLAG: VALUE", path, sections.Line)
	}
	for i := 0; i < len(sections.Content); i += 2 {
		name, flags := sections.Content[i], sections.Content[i+1]
		where := fmt.Sprintf("%s:%d", path, name.Line)
		if known := commandNames(); !slices.Contains(known, name.Value) {
			return usagef("%s: %q is no command%s", where, name.Value, didYouMean(name.Value, known))
		}
		if name.Value != f.command {
			continue
		}
		if flags.Kind != yaml.MappingNode {
			return usagef("%s: below %s: write FLAG: VALUE", where, name.Value)
		}
		if err := f.fromSection(path, flags); err != nil {
			return err
		}
	}
	return nil
}

// fromSection takes FLAG: VALUE, or FLAG: [VALUE, …].
func (f *flagSet) fromSection(path string, section *yaml.Node) error {
	for i := 0; i < len(section.Content); i += 2 {
		name, value := section.Content[i], section.Content[i+1]
		where := fmt.Sprintf("%s:%d", path, name.Line)
		flag := f.Lookup(name.Value)
		if flag == nil {
			return usagef("%s: %q is no flag of %s%s", where, name.Value, f.command, f.nearest(name.Value))
		}
		var values []string
		for _, n := range append([]*yaml.Node{value}, value.Content...) {
			switch {
			case n.Kind == yaml.ScalarNode:
				values = append(values, n.Value)
			case n != value || n.Kind != yaml.SequenceNode || !repeatable(flag):
				return usagef("%s: %s: not a value that this flag can have", where, name.Value)
			}
		}
		if flag.Changed {
			continue
		}
		if err := f.give(name.Value, values, where); err != nil {
			return err
		}
	}
	return nil
}

// commandNames lists the commands, and those of two words.
func commandNames() (names []string) {
	for _, c := range commands() {
		names = append(names, c.name)
		for _, sub := range subcommands(c.name) {
			names = append(names, c.name+" "+sub)
		}
	}
	return names
}
