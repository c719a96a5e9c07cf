package catalog

// Catalog is a set of rows with the roles and products they speak of. It never changes once loaded.
type Catalog struct {
	Rows     []*Row // built-in first, then users' in the order given
	Roles    []RoleInfo
	Products []Product
	Services []Service
	Sources  []SourceInfo
}

// SourceInfo names one document of the catalogue, for the report's header.
type SourceInfo struct {
	Name   string // "built-in" or the file
	Rows   int
	SHA256 string // of the data, hexadecimal
}

// Service is one line of services.csv: a service or agent of the document's opening list.
type Service struct {
	Name      string
	Insecure  bool
	Ports     []Ports
	Transport Transport
	Means     string
}

// Default returns the embedded catalogue.
func Default() *Catalog { return nil }

// Load returns the embedded catalogue (unless builtin is false) with the users' catalogue files added.
func Load(builtin bool, files ...string) (*Catalog, error) { return nil, nil }

// Row returns the row with the id, or nil.
func (c *Catalog) Row(id string) *Row { return nil }

// On returns the permissions that stand on a port, most specific first. The transport is TCP or UDP. O(1).
func (c *Catalog) On(t Transport, port uint16) []*Permission { return nil }

// AltOn returns the permissions that an erratum's other reading would put on a port. O(1).
func (c *Catalog) AltOn(t Transport, port uint16) []*Permission { return nil }

// Permissions returns what a row allows on the wire.
func (c *Catalog) Permissions(r *Row) []*Permission { return nil }

// RoleInfo returns what roles.csv says of a role.
func (c *Catalog) RoleInfo(r Role) (RoleInfo, bool) { return RoleInfo{}, false }

// IsA reports whether role is ancestor or a descendant of it.
func (c *Catalog) IsA(role, ancestor Role) bool { return false }

// Product returns the product with that name, as the document prints it.
func (c *Catalog) Product(name string) (Product, bool) { return Product{}, false }

// Deployed reads a product as an inventory names it: "ESX 4.1", "VirtualCenter 2.5", "View".
// The error names the nearest known product.
func (c *Catalog) Deployed(text string) (Deployed, error) { return Deployed{}, nil }

// Known reports whether a catalogue in use covers the deployed version; a product without a version is known.
func (c *Catalog) Known(d Deployed) bool { return false }

// Cover says how a deployed product stands to a row's product, inheritance included.
func (c *Catalog) Cover(d Deployed, product string) Cover { return CoverNone }

// RoleOf returns the role that the deployed product is, and the descendant it refines that role to (or "").
func (c *Catalog) RoleOf(d Deployed) (role, refined Role) { return "", "" }

// Insecure returns the insecure service of the opening list that owns the port ("telnet"), or "".
func (c *Catalog) Insecure(t Transport, port uint16) string { return "" }
