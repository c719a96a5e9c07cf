package catalog

import (
	"strings"
	"testing"
)

// FuzzParse holds that no file makes the reader panic or accept a row that breaks what a Row promises.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"", mine, goodHeader, goodHeader + "X1,ESX 4.x,1-65535,TCP/UDP,esxi|esx-classic,dns-server\n",
		"\ufeff" + goodHeader + "\r\n\"X\",\"\"", "# role: a is-a b\n# role: b is-a a\n", "# product: a 1, role esxi, inherits a 1\n",
		"id,product,ports,transport,source,target,class,ends,alt,erratum,cast,period,line\n" +
			"X1,View/VDM 2.x,80,TCP,esxi,esxi,internal:x,source>=4|target>=9,exchange;transport=UDP,y,ff02::1,10,7\n",
		"\xff\xfe", goodHeader + "\x00", goodHeader + "\"\n\n\n",
	} {
		f.Add([]byte(text), true)
		f.Add([]byte(text), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, builtin bool) {
		c, err := parse(builtin, "fuzz.csv", data)
		if err != nil {
			eachLineHasItsPlace(t, "fuzz.csv", err)
			return
		}
		for _, r := range c.Rows {
			if r.Ports.Lo == 0 || r.Ports.Lo > r.Ports.Hi || r.Transport == 0 || len(r.Source) == 0 || len(r.Target) == 0 {
				t.Fatalf("accepted %+v", r)
			}
			if len(c.Permissions(r)) == 0 {
				t.Fatalf("%s allows nothing", r.ID)
			}
		}
	})
}

// eachLineHasItsPlace holds that an error names its file on each of its lines.
func eachLineHasItsPlace(t *testing.T, name string, err error) {
	t.Helper()
	for line := range strings.Lines(err.Error()) {
		if !strings.HasPrefix(line, name+":") {
			t.Errorf("a line without its place: %q", line)
		}
	}
}
