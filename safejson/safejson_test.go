package safejson

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"
)

// value has what reports have: text, lists of text, numbers of either sign and all sizes, what is left out where it is empty.
type value struct {
	Text   string            `json:"text"`
	List   []string          `json:"list"`
	Counts map[string]uint64 `json:"counts,omitempty"`
	Size   int64             `json:"size"`
	Share  float64           `json:"share"`
	Port   uint16            `json:"port,omitempty"`
}

// FuzzEncode holds that a program reads what was written, and that a terminal obeys none of it.
func FuzzEncode(f *testing.F) {
	f.Add("esx01", uint64(0), int64(0), uint32(0))
	f.Add("\x1b]8;;\u202e\U000e0041\"\\\u2028", uint64(1<<64-1), int64(-1<<63), uint32(1))
	f.Add("\xff<script>&\x7f\u0085\ufeff", uint64(1<<53+1), int64(1<<53+1), uint32(1<<31))
	var e Encoder
	f.Fuzz(func(t *testing.T, text string, count uint64, size int64, share uint32) {
		text = text[:min(len(text), 256)] // what makes a string hostile is short
		in := value{text, []string{text, "-"}, map[string]uint64{"n": count}, size, float64(share) / (1 << 16), uint16(count)}
		line, err := e.Encode(in)
		if err != nil {
			t.Fatal(err)
		}
		want := in
		want.Text, want.List = strict(text), []string{strict(text), "-"}
		check(t, line, want, false)
		if share%16 == 0 { // the same, laid out
			var indented bytes.Buffer
			if err := WriteIndented(&indented, in); err != nil {
				t.Fatal(err)
			}
			check(t, indented.Bytes(), want, true)
		}
	})
}

func check(t *testing.T, encoded []byte, want value, lines bool) {
	t.Helper()
	for i, r := range string(encoded) {
		if Hidden(r) && !(lines && r == '\n') {
			t.Fatalf("a raw character at %d: %q", i, encoded)
		}
	}
	if !utf8.Valid(encoded) {
		t.Fatalf("no UTF-8: %q", encoded)
	}
	var got value
	if err := json.Unmarshal(encoded, &got); err != nil {
		t.Fatalf("%v: %q", err, encoded)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got\n%+v\nwant\n%+v", got, want)
	}
}

// strict returns a string as JSON can carry it: each byte that is no UTF-8 is U+FFFD.
func strict(s string) string { return string([]rune(s)) }

func TestHidden(t *testing.T) {
	for _, tt := range []struct {
		runes  string
		hidden bool
	}{
		{"aZ0~ é漢😀", false},
		{"\x00\t\n\x1b\x7f", true},
		{"\u0080\u009b", true}, // C1: 9b begins a terminal sequence in one byte
		{"\u202e\u2066\u200f", true},
		{"\u00ad\u200b\u2060\ufeff\ufe0f\U000e0041", true},
	} {
		for _, r := range tt.runes {
			if Hidden(r) != tt.hidden {
				t.Errorf("Hidden(%U) = %t", r, !tt.hidden)
			}
		}
	}
}
