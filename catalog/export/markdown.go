package export

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"flowvet/catalog"
	"flowvet/report"
)

// Markdown writes rows as tables, one for each product.
func Markdown(w io.Writer, c *catalog.Catalog, rows []*catalog.Row, _ Options) error {
	var b bytes.Buffer
	b.WriteString("# Documented ports\n\n")
	for _, s := range c.Sources {
		fmt.Fprintf(&b, "- %s%s: %d rows, sha256 %s\n", report.MarkdownText(s.Document), unofficial(s.Unofficial), s.Rows, report.MarkdownText(s.SHA256))
	}
	for product, group := range byProduct(rows) {
		fmt.Fprintf(&b, "\n## %s\n\n| row | port | from | to | expected | what for | rests on |\n|---|---|---|---|---|---|---|\n", report.MarkdownText(product))
		for _, r := range group {
			from, to, arrow := r.SourcePrinted, r.TargetPrinted, ""
			switch r.Listener {
			case catalog.Source:
				from, to = to, from
			case catalog.Either:
				arrow = " (or the other way)"
			}
			cells := []string{
				r.ID + unofficial(r.Origin.Unofficial), r.Service(), from, to + arrow, r.Class.String(), r.Purpose,
				cmp.Or(r.Citation, fmt.Sprintf("line %d", r.Origin.Line)),
			}
			for i, text := range cells {
				cells[i] = report.MarkdownText(text)
			}
			fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// unofficial marks what is not of the vendor's document.
func unofficial(is bool) string {
	if is {
		return " (unofficial)"
	}
	return ""
}

// byProduct yields products with their rows, in the order in which rows name them first.
func byProduct(rows []*catalog.Row) func(func(string, []*catalog.Row) bool) {
	var products []string
	of := map[string][]*catalog.Row{}
	for _, r := range rows {
		if !slices.Contains(products, r.Product) {
			products = append(products, r.Product)
		}
		of[r.Product] = append(of[r.Product], r)
	}
	return func(yield func(string, []*catalog.Row) bool) {
		for _, p := range products {
			if !yield(p, of[p]) {
				return
			}
		}
	}
}
