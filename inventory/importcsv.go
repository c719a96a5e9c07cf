package inventory

// readInventoryCSV reads the CSV form of an inventory as a source. Who manages whom may stand elsewhere.
func (r *sourceReader) readInventoryCSV(text []byte) {
	d := readCSV(r.problems, text)
	k := newChecker(r.problems, r.words)
	for i, m := range d.machines {
		k.machine(i, m, false)
	}
	if len(r.list) > 0 {
		return
	}
	for i, m := range d.machines {
		r.add(r.declared(m, k.v.Machines[i]))
	}
}

// declared turns a machine of an inventory, as read and as checked, into an imported one.
func (r *sourceReader) declared(d *draftMachine, checked *Machine) *imported {
	m := &imported{name: r.said(d.name)}
	m.single = [fields]said{cluster: r.said(d.cluster), site: r.said(d.site), managedBy: r.said(d.managedBy), managed: r.said(d.managed)}
	m.products, m.uses = r.allSaid(d.products), r.allSaid(d.uses)
	for i, a := range d.addrs {
		m.addrs = append(m.addrs, importedAddr{
			addr: checked.Addrs[i].Addr, at: r.where(a.addr.line), plane: r.said(a.plane), roles: r.allSaid(a.roles),
		})
	}
	return m
}

func (r *sourceReader) said(w word) said { return said{text: w.text, at: r.where(w.line)} }

func (r *sourceReader) allSaid(list []word) []said {
	all := make([]said, len(list))
	for i, w := range list {
		all[i] = r.said(w)
	}
	return all
}
