package main

import (
	"bufio"
	"encoding/csv"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// entrant is a line of the list of tools: what is run on which files.
type entrant struct {
	name    string
	files   []string
	base    string // the name of the entrant it alternates with
	command string // of the shell; {} is the file
}

// readTools reads a list: name | files | base | command, # begins a comment. An entrant whose program is missing is left out.
func readTools(path string, progress io.Writer) ([]entrant, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []entrant
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		cells := strings.SplitN(line, "|", 4)
		if len(cells) != 4 {
			return nil, fmt.Errorf("%s:%d: name | files | base | command", path, n)
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		e := entrant{cells[0], strings.Fields(cells[1]), cells[2], cells[3]}
		if program := e.program(); !present(program) {
			fmt.Fprintf(progress, "%s: %s is not installed\n", e.name, program)
			continue
		}
		all = append(all, e)
	}
	return all, lines.Err()
}

// program returns the program that a command runs: its first word that sets no variable.
func (e *entrant) program() string {
	for _, word := range strings.Fields(os.ExpandEnv(e.command)) {
		if !strings.Contains(word, "=") {
			return word
		}
	}
	return ""
}

func present(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// maxRun ends a program that takes too long, and what it has begun: timeout(1) tells its whole group.
const maxRun = "5m"

// seconds runs an entrant on a file once.
func (e *entrant) seconds(file string) (float64, error) {
	command := strings.ReplaceAll(e.command, "{}", file)
	began := time.Now()
	err := exec.Command("timeout", maxRun, "sh", "-c", command).Run()
	took := time.Since(began).Seconds()
	if exit, ok := err.(*exec.ExitError); ok && exit.ExitCode() >= 0 && exit.ExitCode() <= 4 {
		err = nil // flowvet's findings; tshark ends with 2 where it must
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", command, err)
	}
	return took, nil
}

// number is the medians of one entrant on one file.
type number struct {
	name, file, base string
	bytes            int64
	seconds, ratio   float64 // of runs, and of each to the base's run beside it
	least, most      float64 // of the ratios
	pairs            int
}

// race runs the entrants in turns with their bases and writes the numbers.
func race(args []string, progress io.Writer) error {
	flags := flag.NewFlagSet("race", flag.ContinueOnError)
	pairs := flags.Int("pairs", 7, "runs of each")
	name := flags.String("name", "", "only entrants whose name matches")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 3 {
		return fmt.Errorf("race TOOLS DATA NUMBERS\n%s", usage)
	}
	wanted, err := regexp.Compile(*name)
	if err != nil {
		return err
	}
	all, err := readTools(flags.Arg(0), progress)
	if err != nil {
		return err
	}
	var numbers []number
	for _, e := range all {
		if !wanted.MatchString(e.name) {
			continue
		}
		base := e
		if i := slices.IndexFunc(all, func(o entrant) bool { return o.name == e.base }); i >= 0 {
			base = all[i]
		}
		for _, file := range e.files {
			path := filepath.Join(flags.Arg(1), file)
			info, err := os.Stat(path)
			if err != nil {
				fmt.Fprintf(progress, "%s: %s is not there\n", e.name, file)
				continue
			}
			n, err := duel(e, base, path, *pairs)
			if err != nil {
				fmt.Fprintln(progress, err)
				continue
			}
			n.file, n.bytes = file, info.Size()
			fmt.Fprintf(progress, "%-24s %-18s %8.3f s  %6.2f of %s\n", n.name, n.file, n.seconds, n.ratio, n.base)
			numbers = append(numbers, n)
		}
	}
	return writeNumbers(flags.Arg(2), numbers)
}

// duel alternates two entrants on a file. What else the machine does falls on both.
func duel(e, base entrant, path string, pairs int) (number, error) {
	var mine, ratios []float64
	for range pairs {
		a, err := e.seconds(path)
		if err != nil {
			return number{}, err
		}
		b := a
		if base.name != e.name {
			if b, err = base.seconds(path); err != nil {
				return number{}, err
			}
		}
		mine, ratios = append(mine, a), append(ratios, a/b)
	}
	return number{
		name: e.name, base: base.name, seconds: median(mine), ratio: median(ratios), least: slices.Min(ratios), most: slices.Max(ratios), pairs: pairs,
	}, nil
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// columns is the first line of the file of numbers.
func columns() []string {
	return []string{"name", "file", "bytes", "seconds", "base", "ratio", "least", "most", "pairs"}
}

func writeNumbers(path string, numbers []number) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := csv.NewWriter(f)
	w.Write(columns())
	short := func(x float64) string { return strconv.FormatFloat(x, 'f', 3, 64) }
	for _, n := range numbers {
		w.Write([]string{
			n.name, n.file, strconv.FormatInt(n.bytes, 10), short(n.seconds), n.base, short(n.ratio), short(n.least), short(n.most), strconv.Itoa(n.pairs),
		})
	}
	if w.Flush(); w.Error() != nil {
		return w.Error()
	}
	return f.Close()
}

func readNumbers(path string) ([]number, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 || !slices.Equal(lines[0], columns()) {
		return nil, fmt.Errorf("%s: the first line is not %s", path, strings.Join(columns(), ","))
	}
	var numbers []number
	for at, cells := range lines[1:] {
		n := number{name: cells[0], file: cells[1], base: cells[4]}
		var wrong [6]error
		n.bytes, wrong[0] = strconv.ParseInt(cells[2], 10, 64)
		n.seconds, wrong[1] = strconv.ParseFloat(cells[3], 64)
		n.ratio, wrong[2] = strconv.ParseFloat(cells[5], 64)
		n.least, wrong[3] = strconv.ParseFloat(cells[6], 64)
		n.most, wrong[4] = strconv.ParseFloat(cells[7], 64)
		n.pairs, wrong[5] = strconv.Atoi(cells[8])
		for _, err := range wrong {
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", path, at+2, err)
			}
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

// table prints numbers as Markdown.
func table(path string, out io.Writer) error {
	numbers, err := readNumbers(path)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "| program | file | seconds | MB/s | to its base | least to most |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|")
	for _, n := range numbers {
		fmt.Fprintf(out, "| %s | %s | %.3f | %.0f | %.2f x %s | %.2f to %.2f |\n",
			n.name, n.file, n.seconds, float64(n.bytes)/n.seconds/1e6, n.ratio, n.base, n.least, n.most)
	}
	return nil
}
