package filter_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"flowvet/capture/filter"
)

func TestErrorsSayWhereAndWhatToWrite(t *testing.T) {
	for _, tt := range []struct {
		expression string
		column     int
		says       string
	}{
		{"tcp port http", 10, `"http" where a port should stand: names are not resolved`},
		{"host esx01", 6, `"esx01" is no address: names are not resolved`},
		{"host 10.1", 6, "write all four numbers"},
		{"host 10.0.0.256", 6, "write all four numbers"},
		{"host 010.0.0.1", 6, "without zeros in front"},
		{"host 10", 6, `"10" is no address: write an address such as 10.0.0.1`},
		{"host 00:50:56:00:00:01", 6, "write ether before a MAC address"},
		{"host fe80::1%eth0", 13, `"%" has no meaning here`},
		{"host 10.0.0.1/24", 6, "only a network has a mask: write net"},
		{"host 2001:db8::1/64", 6, "only a network has a mask"},
		{"10.0.0.1", 1, `"10.0.0.1" stands alone: say what it is: host, net, port`},
		{"443", 1, "say what it is: port 443"},
		{"tcp 443", 5, "comes after a complete expression: join primitives with and, or"},
		{"tcp and 443", 9, "stands alone"},
		{"vlan 10 or 20", 12, "stands alone"},
		{"net 10.0.0.1/8", 5, "has bits outside its mask: write host for one address"},
		{"net 10.0.0.0/33", 14, `"33" is not a prefix length of 0 to 32`},
		{"net 10/8", 5, "write 10.0.0.0"},
		{"net 0", 5, `"0" is no address`},
		{"net 10 mask 255.0.0.0", 13, "write net 10.0.0.0 mask 255.0.0.0"},
		{"net 10.0.0.0 mask 255", 19, "is no mask"},
		{"ip net 2001:db8::/32", 8, `ip before "2001:db8::", which is of the other family`},
		{"ip6 host 10.0.0.1", 10, "of the other family"},
		{"port 65536", 6, `"65536" is not a port of 0 to 65535`},
		{"port 80-90", 6, "a range needs portrange"},
		{"portrange 80-", 11, "where a range of ports should stand"},
		{"icmp port 80", 6, "icmp has no ports"},
		{"ip port 80", 4, "ip has no ports"},
		{"tcp host 10.0.0.1", 5, "tcp has no addresses"},
		{"tcp multicast", 5, "tcp has no multicast"},
		{"ip broadcast", 4, "dst host 10.0.0.255"},
		{"ether net 10.0.0.0/8", 7, "a MAC address has no network"},
		{"ether host 10.0.0.1", 12, "is no MAC address"},
		{"ether", 6, "the end after \"ether\""},
		{"ether proto 5", 13, "LLC is not in the subset"},
		{"ip proto tcp", 10, `"tcp" where a protocol's number should stand`},
		{"src proto 6", 1, "does not go before proto"},
		{"vlan 5000", 6, "is not a VLAN id of 0 to 4095"},
		{"less", 5, "the end where a length should stand"},
		{"tcp[13] & 2 != 0", 4, "packet bytes and arithmetic are not in the subset known here"},
		{"len <= 100", 5, "arithmetic are not in the subset known here; compile it with tcpdump -ddd"},
		{"mpls", 1, "not in the subset"},
		{"gateway 10.0.0.1", 1, "not in the subset"},
		{"esx01", 1, "stands alone"},
		{"TCP", 1, "stands alone"},
		{"tcp or", 7, "the end where a primitive should stand"},
		{"or tcp", 1, `"or" where a primitive should stand`},
		{"(tcp", 5, "the end where the parenthesis of column 1 should close"},
		{"tcp)", 4, "comes after a complete expression"},
		{"()", 2, `")" where a primitive should stand`},
		{"port (80 or)", 12, `")" where a port should stand`},
		{"tcp port 80 §", 13, `"§" has no meaning here`},
		{strings.Repeat("(", 600) + "tcp", 501, "more than 500 parentheses"},
		{strings.Repeat("not ", 600) + "tcp", 2001, "more than 500 parentheses"},
		{strings.Repeat("tcp or ", 10000) + "tcp", 65537, "at most 65536 are read"},
	} {
		_, err := filter.Parse(tt.expression)
		var at *filter.SyntaxError
		if !errors.As(err, &at) {
			t.Errorf("%.60s: error %v, want a *SyntaxError", tt.expression, err)
			continue
		}
		if at.Column != tt.column || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%.60s: %v\nwant column %d: %s", tt.expression, err, tt.column, tt.says)
		}
	}
}

func TestWhatIsTooLongForAKernelIsAnError(t *testing.T) {
	var b strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&b, "host 10.0.%d.%d or ", i/250, i%250)
	}
	f, err := filter.Parse(b.String() + "tcp")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Compile(ethernet); err == nil || !strings.Contains(err.Error(), "4096 instructions") {
		t.Errorf("error %v, want one of 4096 instructions", err)
	}
	if _, err := ourFilter(t, "tcp").Compile(127); err == nil {
		t.Error("compiled for link type 127, which has no layout here")
	}
}

func ourFilter(t testing.TB, expression string) *filter.Filter {
	t.Helper()
	f, err := filter.Parse(expression)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestDumpsAreChecked(t *testing.T) {
	for _, tt := range []struct{ dump, says string }{
		{"", "line 1: no number of instructions"},
		{"(000) ldh [12]\n", "line 1: no number of instructions"},
		{"2\n6 0 0 0\n", "line 1 announces 2 instructions, 1 lines follow"},
		{"1\n6 0 0\n", "line 2: four numbers make an instruction"},
		{"1\n6 0 256 0\n", "line 2: four numbers make an instruction"},
		{"1\n40 0 0 12\n", "instruction 1: the last one does not return"},
		{"0\n", "0 instructions; a kernel takes 1 to 4096"},
		{"1\n255 0 0 0\n", "instruction 1: unknown code 255"},
		{"2\n21 1 0 0\n6 0 0 0\n", "instruction 1: jumps past the end"},
		{"2\n5 0 0 4294967295\n6 0 0 0\n", "instruction 1: jumps past the end"},
		{"2\n96 0 0 16\n6 0 0 0\n", "instruction 1: memory word 16; there are 16"},
		{"2\n52 0 0 0\n6 0 0 0\n", "instruction 1: divides by nought"},
		{"2\n100 0 0 32\n6 0 0 0\n", "instruction 1: shifts by 32 bits"},
		{"2\n40 0 0 4294963200\n6 0 0 0\n", "instruction 1: asks for what only a kernel knows"},
		{strings.Repeat("1", filter.MaxDump+1), "the dump has more than"},
	} {
		if _, err := filter.ParseDump(tt.dump); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%.40q: error %v, want %s", tt.dump, err, tt.says)
		}
	}
	f, err := filter.ParseDump("2\r\n48 0 0 0\r\n6 0 0 1\r\n\r\n")
	if err != nil || f.String() != "a program of 2 instructions" {
		t.Errorf("%v, error %v", f, err)
	}
}

// FuzzParse holds every expression to what a program must be: one that the kernel's rules and another machine accept, and
// that says the same of a frame as that machine.
func FuzzParse(f *testing.F) {
	data, err := os.ReadFile("testdata/expressions.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		f.Add(strings.TrimSpace(line), []byte("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x0b\x08\x00\x45\x00\x00\x28"))
	}
	f.Fuzz(func(t *testing.T, expression string, data []byte) {
		parsed, err := filter.Parse(expression)
		if err != nil {
			var at *filter.SyntaxError
			if !errors.As(err, &at) || at.Column < 1 || at.Column > len(expression)+1 {
				t.Fatalf("%q: %v", expression, err)
			}
			return
		}
		for _, link := range filter.Links() {
			p, err := parsed.Compile(link)
			if err != nil {
				return
			}
			sameAsOtherMachine(t, p, data)
		}
		if _, err := parsed.CompileLive(ethernet, 128); err != nil && !strings.Contains(err.Error(), "instructions") {
			t.Fatal(err)
		}
	})
}

// FuzzParseDump runs whatever passes the rules: it ends, and stays within the frame and the memory.
func FuzzParseDump(f *testing.F) {
	f.Add("2\n48 0 0 0\n6 0 0 1\n", []byte("\x45"))
	f.Add("8\n40 0 0 12\n21 0 5 2048\n48 0 0 23\n21 0 3 6\n48 0 0 47\n69 0 1 2\n6 0 0 262144\n6 0 0 0\n", []byte("\x02"))
	f.Add("6\n177 0 0 14\n72 0 0 16\n2 0 0 15\n97 0 0 15\n12 0 0 0\n22 0 0 0\n", []byte("\x02"))
	f.Fuzz(func(t *testing.T, dump string, data []byte) {
		parsed, err := filter.ParseDump(dump)
		if err != nil {
			return
		}
		for _, link := range filter.Links() {
			p, err := parsed.Compile(link)
			if err != nil {
				t.Fatal(err)
			}
			p.Keeps(data, len(data))
			if admits, sure := p.Admits(filter.Flow{DstPort: 443, Proto: 6}); admits && !sure {
				t.Fatal("admits without being sure")
			}
		}
	})
}

// TestSourceIsReadBack: a recording keeps the filter as text.
func TestSourceIsReadBack(t *testing.T) {
	program, err := filter.ParseDump("2\n40 0 0 12\n6 0 0 262144\n")
	if err != nil {
		t.Fatal(err)
	}
	filters := []*filter.Filter{program}
	for _, expression := range []string{"", "tcp port 443 or not net 10.0.0.0/8", " \n host 10.0.0.1"} {
		f, err := filter.Parse(expression)
		if err != nil {
			t.Fatal(err)
		}
		filters = append(filters, f)
	}
	for _, f := range filters {
		back, err := filter.Restore(f.Source())
		if err != nil || back.String() != f.String() || back.Source() != f.Source() {
			t.Errorf("%q: %v, %v", f.Source(), back, err)
		}
	}
	for _, source := range []string{"80", "1\n", "2\n40 0 0 12", "port https"} {
		if f, err := filter.Restore(source); err == nil {
			t.Errorf("%q is taken for %v", source, f)
		}
	}
}
