package catalog

import (
	"embed"
	"slices"
	"strings"
	"sync"
)

// companions are catalogues that come along and are not in use unless they are named: what the vendor's document leaves
// out, and later products. They are collected from many sources, so every row cites its own.
//
//go:embed companions/*.csv
var companions embed.FS

// Addendum is the companion that holds what the vendor's document leaves out for its own products.
const Addendum = "addendum"

// Companions returns the names of the catalogues that come along beside the vendor's document, for [Load], in order.
func Companions() []string {
	entries, err := companions.ReadDir("companions")
	if err != nil {
		panic(err) // the folder is part of the build
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".csv")
	}
	slices.Sort(names)
	return names
}

// CompanionFor returns the name of the first companion that covers a deployed version; empty where none does.
func CompanionFor(d Deployed) string {
	for i, c := range companionsRead() {
		if c.Known(d) {
			return Companions()[i]
		}
	}
	return ""
}

// companionsRead returns each companion by itself, in the order of their names. They are read once.
var companionsRead = sync.OnceValue(func() []*Catalog {
	var all []*Catalog
	for _, name := range Companions() {
		all = append(all, load(false, []string{name}).catalog)
	}
	return all
})

// companionData returns the content of the companion of that name.
func companionData(name string) ([]byte, bool) {
	data, err := companions.ReadFile("companions/" + name + ".csv")
	return data, err == nil
}
