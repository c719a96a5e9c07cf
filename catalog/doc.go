// Package catalog says what is documented: which port, in which transport, between which roles, for which product.
//
// A [Row] is one line of a vendor's document, a [Permission] is what it allows on the wire: an initiator's role, a
// responder's role, a transport and the responder's ports. [Catalog.On] answers in O(1) which permissions stand on a port.
//
// # The embedded catalogue
//
// ports.csv holds the 343 rows of VMware's port document for ESX 3 and 4 and the products of their day, roles.csv the
// roles the rows speak of, products.csv the 20 products, services.csv the 16 services and agents the document opens
// with. All four are read by the same reader as a user's catalogue.
//
// # The catalogue file
//
// A catalogue is a CSV file in UTF-8 (a byte order mark and CRLF are accepted), at most 4 MiB and 100,000 rows, one row
// a line. The first line that is no comment names the columns, in any order:
//
//	column                          value                                            when empty
//	id                              unique; letters, digits, "." "_" "-"             required
//	product                         a name of products.csv or a declared product     required
//	ports                           902 or 2050-2250, the responder's ports          required
//	transport                       TCP, UDP or TCP/UDP                              required
//	source, target                  a role, or roles as a|b (any of)                 required
//	ports_printed ... target_printed  the cell as the document prints it             the value above
//	listener                        target, source or either                         target
//	ends                            source>=4, target>=4 or both as a|b              no version needed
//	relation                        unrelated, linked or remote                      unrelated
//	class                           always, optional, if-used:SERVICE,               optional
//	                                during:OPERATION or internal:PRODUCT
//	group                           a word that alternatives share                   none
//	each                            source, target or any                            source
//	period                          seconds, or event                                event
//	plane                           mgmt, vmotion, ft, storage or bmc                none
//	cast                            a multicast address                              none
//	reply                           yes or no                                        yes
//	configurable, erratum           y or n                                           n
//	on_wire                         y or n                                           n for internal, else y
//	insecure                        cim-http, ftp, nfs, smb or telnet                none
//	alt                             transport=T, source=R, target=R or exchange      none
//	note, purpose, citation         words                                            none
//	line                            where the document prints the row                the line of this file
//
// Lines that begin with # are comments. Four comments are read:
//
//	# document: NAME
//	# unofficial: WHY
//	# role: NAME is-a PARENT|PARENT
//	# product: NAME, family FAMILY, versions MIN-MAX, role ROLE, refines ROLE, inherits PRODUCT, aliases A|B
//
// The document is the name that findings cite, the file's base name if there is none. A role's parents may be left out,
// and so may everything of a product but its name and, for a new family, its role. A family left out is the
// name itself; versions left out cover every version; a single version may be written alone. For example:
//
//	# document: vSphere 7 ports, as our network team keeps them
//	# product: vSphere 7, family vSphere, versions 7-7, role hypervisor-host
//	id,product,ports,transport,source,target,class,period,purpose
//	V7-1,vSphere 7,902,UDP,hypervisor-host,vcenter-server,always,10,heartbeat
//	V7-2,vSphere 7,8182,TCP/UDP,hypervisor-host,hypervisor-host,if-used:ha,60,cluster agents
package catalog
