package inventory

import (
	"bytes"
	"encoding/csv"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Format is a kind of file that names machines.
type Format string

// The formats that can be imported.
const (
	FormatCSV     Format = "csv"     // the columns of an inventory
	FormatHosts   Format = "hosts"   // /etc/hosts
	FormatRVTools Format = "rvtools" // an export of RVTools: a workbook, or one sheet as CSV
	FormatAnsible Format = "ansible" // an inventory of Ansible, INI or YAML
	FormatNames   Format = "names"   // the names that a capture has for addresses
)

// Formats returns the formats by the names that --format takes.
func Formats() []Format {
	return []Format{FormatCSV, FormatHosts, FormatRVTools, FormatAnsible, FormatNames}
}

// FormatList names the formats in a message.
func FormatList() string {
	names := make([]string, len(Formats()))
	for i, f := range Formats() {
		names[i] = string(f)
	}
	return strings.Join(names, ", ")
}

// Recognise says by its content which format a file has; empty: none of them.
func Recognise(data []byte) Format {
	if isWorkbook(data) {
		return FormatRVTools
	}
	line := firstLine(data)
	if _, err := netip.ParseAddr(firstWord(line)); err == nil {
		return FormatHosts
	}
	columns := headerColumns(line)
	if slices.Contains(columns, "name") && slices.Contains(columns, "address") {
		return FormatCSV
	}
	if rvtoolsSheet(columns) != "" {
		return FormatRVTools
	}
	if sectionLine().MatchString(line) || strings.Contains(line, " ansible_") || isAnsibleYAML(line) {
		return FormatAnsible
	}
	return ""
}

// isAnsibleYAML reports whether a file that begins with that line can be a mapping of groups.
func isAnsibleYAML(line string) bool {
	return (line == "---" || yamlKey().MatchString(line)) && !strings.HasPrefix(line, "machines:")
}

// yamlKey is a line that is a key of a mapping in YAML.
var yamlKey = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^["']?[A-Za-z0-9_.-]+["']?:(?:\s.*)?$`) })

// isWorkbook reports whether a file is an archive, as workbooks are.
func isWorkbook(data []byte) bool { return bytes.HasPrefix(data, []byte("PK\x03\x04")) }

// firstLine returns the first line that is neither empty nor a comment.
func firstLine(data []byte) string {
	for line := range bytes.Lines(bytes.TrimPrefix(data, []byte("\ufeff"))) {
		if text := strings.TrimSpace(string(line)); text != "" && text[0] != '#' && text[0] != ';' {
			return text
		}
	}
	return ""
}

// firstWord returns the text up to the first space.
func firstWord(line string) string {
	if words := strings.Fields(line); len(words) > 0 {
		return words[0]
	}
	return ""
}

// headerColumns returns the names of a line of columns, in lower case.
func headerColumns(line string) []string {
	in := csv.NewReader(strings.NewReader(line))
	in.Comma, in.LazyQuotes = separator(line), true
	record, err := in.Read()
	if err != nil {
		return nil
	}
	for i, name := range record {
		record[i] = strings.ToLower(strings.TrimSpace(name))
	}
	return record
}
