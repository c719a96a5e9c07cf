// Command bench says how fast flowvet is, and how fast what others have is on the same files.
//
// It makes captures of three shapes (always the same bytes), reads them as fast as a plain program can (the floor), runs
// programs in turns on them and keeps the medians as numbers, and draws the figures of docs/performance.md from these.
// peers.sh does all of it.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
)

const usage = `Usage: bench COMMAND ...
  make SHAPE BYTES [FLOWS] FILE   write a capture: bulk, mixed or small
  floor FILE                      read a pcap file to its flows, as plainly as can be
  race [-pairs N] [-name REGEXP] TOOLS DATA NUMBERS
                                  run the tools of a list in turns on the files in a folder, and keep the medians
  table NUMBERS                   print them as a table
  figures NUMBERS FOLDER          draw growth.svg and cores.svg from them
`

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string, out, progress io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("no command\n%s", usage)
	}
	switch name, rest := args[0], args[1:]; {
	case name == "make" && (len(rest) == 3 || len(rest) == 4):
		return makeFile(rest, out)
	case name == "floor" && len(rest) == 1:
		return floorOf(rest[0], out)
	case name == "race":
		return race(rest, progress)
	case name == "table" && len(rest) == 1:
		return table(rest[0], out)
	case name == "figures" && len(rest) == 2:
		return figures(rest[0], rest[1])
	}
	return fmt.Errorf("%q\n%s", args, usage)
}

// makeFile writes a capture, and says what it holds.
func makeFile(args []string, out io.Writer) error {
	s, err := shapeNamed(args[0])
	if err != nil {
		return err
	}
	size, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	if len(args) == 4 {
		if s.flows, err = strconv.Atoi(args[2]); err != nil {
			return err
		}
	}
	path := args[len(args)-1]
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	packets, err := s.write(w, size)
	if err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %d packets, %d flows\n", path, packets, min(s.flows, packets))
	return f.Close()
}
