package catalog

import (
	"regexp"
	"slices"
	"strings"
)

// RoleInfo is one line of roles.csv.
type RoleInfo struct {
	Role     Role
	Parents  []Role   // is-a
	Aliases  []string // as printed in the document
	Excludes []Role   // roles one address cannot hold together with it
	VMware   bool     // makes its machine a VMware machine
	Client   bool     // of the client-pc family: initiates, never serves
	Means    string   // in our own words
}

// roles is what a catalogue knows of roles, for look-up.
type roles struct {
	info      map[Role]RoleInfo
	ancestors map[Role][]Role // itself first
	named     map[string]Role // folded names and aliases
	names     []string        // for suggestions
}

// newRoles indexes list. A role that is its own ancestor is returned as circular.
func newRoles(list []RoleInfo) (rs *roles, circular Role) {
	rs = &roles{
		info:      make(map[Role]RoleInfo, len(list)),
		ancestors: make(map[Role][]Role, len(list)),
		named:     make(map[string]Role, 2*len(list)),
	}
	for _, info := range list {
		rs.info[info.Role] = info
		rs.names = append(rs.names, string(info.Role))
		for _, alias := range info.Aliases {
			rs.named[fold(alias)] = info.Role
		}
	}
	for _, info := range list {
		rs.named[string(info.Role)] = info.Role
		if !rs.trace(info.Role, make(map[Role]bool)) {
			return rs, info.Role
		}
	}
	return rs, ""
}

// trace fills in the ancestors of a role, nearest first; false when it is below itself. Each role is traced once, however
// many ways lead to it; below holds the roles that are being traced.
func (rs *roles) trace(role Role, below map[Role]bool) bool {
	if _, done := rs.ancestors[role]; done {
		return true
	}
	if below[role] {
		return false
	}
	below[role] = true
	line := []Role{role}
	for _, parent := range rs.info[role].Parents {
		if !rs.trace(parent, below) {
			return false
		}
		for _, r := range rs.ancestors[parent] {
			if !slices.Contains(line, r) {
				line = append(line, r)
			}
		}
	}
	rs.ancestors[role] = line
	return true
}

// RoleInfo returns what roles.csv says of a role.
func (c *Catalog) RoleInfo(r Role) (RoleInfo, bool) {
	if c.roles == nil {
		return RoleInfo{}, false
	}
	info, ok := c.roles.info[r]
	return info, ok
}

// RoleNamed returns the role with that name, or with that name in a document ("Client PC"); case does not count.
// The error names the nearest known role.
func (c *Catalog) RoleNamed(text string) (Role, error) {
	if c.roles == nil {
		return "", unknown("role", text, nil)
	}
	if role, ok := c.roles.named[fold(text)]; ok {
		return role, nil
	}
	return "", unknown("role", text, c.roles.names)
}

// IsA reports whether role is ancestor or a descendant of it.
func (c *Catalog) IsA(role, ancestor Role) bool {
	if role == ancestor {
		return true
	}
	return c.roles != nil && slices.Contains(c.roles.ancestors[role], ancestor)
}

// Exclusive reports whether one address cannot hold both roles. What excludes a role excludes its descendants.
func (c *Catalog) Exclusive(a, b Role) bool { return c.excludes(a, b) || c.excludes(b, a) }

func (c *Catalog) excludes(a, b Role) bool {
	if c.roles == nil {
		return false
	}
	for _, role := range c.roles.ancestors[a] {
		for _, excluded := range c.roles.info[role].Excludes {
			if c.IsA(b, excluded) {
				return true
			}
		}
	}
	return false
}

// roleName is what a role may be called: it stands in inventories, scenarios and command lines.
var roleName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}[a-z0-9]$`)

// fold returns s in the form in which names are compared: lower case, single spaces.
func fold(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }
