package catalog

import (
	"strings"
)

// maxWord is the longest word, in runes, that [Nearest] looks at: the cost grows with the square.
const maxWord = 64

// Nearest returns the member of among that word was most likely meant to be, or "" when none is near. Case does not
// count. A word is near when at most a third of it (one letter at least) must be inserted, deleted, replaced or swapped
// with its neighbour; failing that, when one of the two contains the other. Equal nearness: the alphabet decides.
func Nearest(word string, among []string) string {
	w := []rune(strings.ToLower(strings.TrimSpace(word)))
	if len(w) == 0 || len(w) > maxWord {
		return ""
	}
	best, bestDistance := "", max(1, len(w)/3)+1
	for _, name := range among {
		n := []rune(strings.ToLower(name))
		if len(n) == 0 || len(n) > maxWord {
			continue
		}
		if d := distance(w, n); d < bestDistance || d == bestDistance && best != "" && name < best {
			best, bestDistance = name, d
		}
	}
	if best != "" {
		return best
	}
	return containing(string(w), among)
}

// containing returns the shortest name of among that contains word or is contained in it, or "".
func containing(word string, among []string) string {
	const tooShort = 3 // a word of two letters is in half of all names
	best := ""
	for _, name := range among {
		n := strings.ToLower(name)
		if len(word) < tooShort || len(n) < tooShort || !strings.Contains(n, word) && !strings.Contains(word, n) {
			continue
		}
		if best == "" || len(name) < len(best) || len(name) == len(best) && name < best {
			best = name
		}
	}
	return best
}

// distance is the optimal string alignment distance: Levenshtein's with the swap of two neighbours as one step.
func distance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			substitute := last[j-1]
			if a[i-1] != b[j-1] {
				substitute++
			}
			row[j] = min(last[j]+1, row[j-1]+1, substitute)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// suggest returns the hint "did you mean …" for a word that is none of among, or "".
func suggest(word string, among []string) string {
	if near := Nearest(word, among); near != "" {
		return "did you mean " + quote(near) + "?"
	}
	return ""
}
