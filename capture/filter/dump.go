package filter

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/net/bpf"
)

// MaxDump is the longest dump in bytes: MaxProgram lines of the longest numbers.
const MaxDump = MaxProgram * len("65535 255 255 4294967295\r\n")

// ParseDump reads what tcpdump -ddd prints: a line with the number of instructions, then a line with four decimal numbers
// for each. The program must pass the kernel's rules; errors name the line, from 1.
func ParseDump(text string) (*Filter, error) {
	if len(text) > MaxDump {
		return nil, fmt.Errorf("filter: the dump has more than %d bytes", MaxDump)
	}
	lines := strings.Split(strings.TrimRight(text, " \t\r\n"), "\n")
	n, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	switch {
	case err != nil:
		return nil, errors.New("filter: line 1: no number of instructions: give what tcpdump -ddd prints")
	case n != len(lines)-1:
		return nil, fmt.Errorf("filter: line 1 announces %d instructions, %d lines follow", n, len(lines)-1)
	}
	code := make([]bpf.RawInstruction, 0, n)
	for i, line := range lines[1:] {
		instruction, ok := parseInstruction(strings.Fields(line))
		if !ok {
			return nil, fmt.Errorf("filter: line %d: four numbers make an instruction: code, jump if true, jump if false, operand", i+2)
		}
		code = append(code, instruction)
	}
	if err := verify(code); err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	return &Filter{text: fmt.Sprintf("a program of %d instructions", n), dump: code}, nil
}

func parseInstruction(fields []string) (i bpf.RawInstruction, ok bool) {
	if len(fields) != 4 {
		return i, false
	}
	var numbers [4]uint64
	for n, bits := range []int{16, 8, 8, 32} {
		var err error
		if numbers[n], err = strconv.ParseUint(fields[n], 10, bits); err != nil {
			return i, false
		}
	}
	return bpf.RawInstruction{Op: uint16(numbers[0]), Jt: uint8(numbers[1]), Jf: uint8(numbers[2]), K: uint32(numbers[3])}, true
}
