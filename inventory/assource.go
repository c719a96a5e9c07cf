package inventory

// AsSource makes a source of an inventory that a program made: its machines with what they are called, do and belong to.
// Networks and what holds for the whole site are left out. Name says in conflicts where it comes from.
func AsSource(name string, v *Inventory) *Source {
	s := &Source{Name: name}
	for _, m := range v.Machines {
		s.machines = append(s.machines, asImported(Where{File: name}, m))
	}
	return s
}

// asImported is a machine of an inventory as a source knows it.
func asImported(at Where, m *Machine) *imported {
	say := func(text string) said { return said{text: text, at: at} }
	i := &imported{name: say(m.Name)}
	i.single = [fields]said{cluster: say(m.Cluster), site: say(m.Site), managedBy: say(m.ManagedBy)}
	if m.Unmanaged {
		i.single[managed] = say("false")
	}
	for _, p := range m.Products {
		i.products = append(i.products, say(p.String()))
	}
	for _, service := range m.Uses {
		i.uses = append(i.uses, say(service))
	}
	for _, service := range m.NotUses {
		i.uses = append(i.uses, say("-"+service))
	}
	for _, a := range m.Addrs {
		i.addrs = append(i.addrs, importedAddr{addr: a.Addr, at: at, plane: say(a.Plane), roles: saidRoles(a.Roles, say)})
	}
	return i
}

func saidRoles(grants []Grant, say func(string) said) []said {
	var all []said
	for _, g := range grants {
		all = append(all, say(string(g.Role)))
	}
	return all
}
