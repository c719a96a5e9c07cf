package inventory

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flowvet/catalog"
)

func TestAnInventoryThatIsMergedIntoNothingIsItself(t *testing.T) {
	const text = `machines:
  - name: vcenter01
    products: [vCenter 4.1]
    addresses:
      - address: 10.20.0.5
  - name: esx01
    products: [ESXi 4.1]
    cluster: prod
    managed-by: vcenter01
    uses: [nfs, -ha]
    addresses:
      - address: 10.20.0.11
        plane: mgmt
      - address: 10.20.1.11
        plane: vmotion
  - name: esx09
    products: [ESX]
    managed: false
    addresses:
      - address: 10.20.0.19
  - name: store
    addresses:
      - address: 10.20.3.9
        roles:
          - nfs-server
          - iscsi-target
`
	v, err := Parse("a", []byte(text), catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	merged, err := Merge("b", nil, []*Source{AsSource("vcenter01", v)}, catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse("b", merged.Text, catalog.Default())
	if err != nil {
		t.Fatalf("%v\n%s", err, merged.Text)
	}
	written := func(v *Inventory) string {
		var b strings.Builder
		if err := v.WriteYAML(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if diff := cmp.Diff(written(v), written(again)); diff != "" || len(merged.Conflicts) > 0 {
		t.Errorf("conflicts %v\n%s", merged.Conflicts, diff)
	}
	twice, err := Merge("b", merged.Text, []*Source{AsSource("vcenter01", v)}, catalog.Default())
	if err != nil || twice.Added+twice.Completed > 0 || len(twice.Conflicts) > 0 {
		t.Errorf("%v: merged again, %d are added, %d completed, conflicts %v", err, twice.Added, twice.Completed, twice.Conflicts)
	}
}
