package inventory

// word is a piece of text of an inventory and the line it stands on.
type word struct {
	text string
	line int
}

// given reports whether the file holds the word at all.
func (w word) given() bool { return w.line > 0 }

// draft is an inventory as read, before any name in it is looked up. YAML and CSV make the same draft, so both are
// held against the same rules.
type draft struct {
	machines []*draftMachine
	networks []draftNetwork
	sites    []word
	hasSites bool
	uses     []word
	vlans    []draftVLAN
	ports    []draftPort
	views    []draftView
	segments word
}

type draftMachine struct {
	name, cluster, site, managedBy, managed word
	products, uses                          []word
	addrs                                   []draftAddr
	line                                    int
	broken                                  bool // a part of it was refused already
}

type draftAddr struct {
	addr, plane word
	roles       []word
}

type draftNetwork struct {
	prefix, name, plane word
	roles               []word
	line                int
	broken              bool // a part of it was refused already
}

type draftPort struct{ row, port word }

type draftVLAN struct{ id, plane word }

type draftView struct {
	file   word
	sees   []word
	line   int
	broken bool // a part of it was refused already
}
