package inventory

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxRange caps the hosts that one pattern stands for.
const maxRange = 100_000

// maxPattern caps the bytes of a pattern, and with them the brackets in it.
const maxPattern = 1024

// expand returns the hosts that a pattern of Ansible's stands for: esx[01:12].lab is twelve, esx[a:c] three,
// db[1:9:2] five.
func expand(pattern string) ([]string, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("is longer than %d bytes", maxPattern)
	}
	open := strings.IndexByte(pattern, '[')
	if open < 0 {
		return []string{pattern}, nil
	}
	length := strings.IndexByte(pattern[open:], ']')
	if length < 0 {
		return nil, errors.New("a bracket is not closed")
	}
	words, err := span(pattern[open+1 : open+length])
	if err != nil {
		return nil, err
	}
	rest, err := expand(pattern[open+length+1:])
	if err != nil {
		return nil, err
	}
	if len(words)*len(rest) > maxRange {
		return nil, fmt.Errorf("stands for more than %d hosts", maxRange)
	}
	all := make([]string, 0, len(words)*len(rest))
	for _, word := range words {
		for _, end := range rest {
			all = append(all, pattern[:open]+word+end)
		}
	}
	return all, nil
}

// span returns what stands between brackets, written out: 01:12, a:f, 1:9:2.
func span(text string) ([]string, error) {
	parts := strings.Split(text, ":")
	step := 1
	if len(parts) == 3 {
		n, err := strconv.Atoi(parts[2])
		if err != nil || n < 1 {
			return nil, fmt.Errorf("step %s is no number from 1", quote(parts[2]))
		}
		step, parts = n, parts[:2]
	}
	if len(parts) != 2 {
		return nil, fmt.Errorf("%s is no range: write [01:12] or [a:f]", quote(text))
	}
	if len(parts[0]) == 1 && len(parts[1]) == 1 && isLetter(parts[0][0]) && isLetter(parts[1][0]) {
		return letters(parts[0][0], parts[1][0], step), nil
	}
	low, errLow := strconv.ParseUint(parts[0], 10, 32)
	high, errHigh := strconv.ParseUint(parts[1], 10, 32)
	if errLow != nil || errHigh != nil || high < low {
		return nil, fmt.Errorf("%s is no range: write [01:12] or [a:f]", quote(text))
	}
	if (high-low)/uint64(step) >= maxRange {
		return nil, fmt.Errorf("stands for more than %d hosts", maxRange)
	}
	var all []string
	for n := low; n <= high; n += uint64(step) {
		all = append(all, fmt.Sprintf("%0*d", len(parts[0]), n))
	}
	return all, nil
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// letters returns the letters from one to another.
func letters(low, high byte, step int) []string {
	var all []string
	for c := int(low); c <= int(high); c += step {
		all = append(all, string(rune(c)))
	}
	return all
}
