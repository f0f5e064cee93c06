// Package nettext writes the files of /proc/net.
//
// Each is a plain function of a namespace. Where Linux shows a kernel address there are zeros, as for a reader without
// CAP_SYSLOG. What the stack does not count is left out of snmp and netstat, whose readers go by the names in the first line.
package nettext

import (
	"slices"

	"cordon/sentry/socket"
)

// A text writes one file.
type text func(ns *socket.Namespace) []byte

// Set in one place and never changed.
var texts = map[string]text{
	"tcp": tcp4, "tcp6": tcp6, "udp": udp4, "udp6": udp6, "raw": raw4, "raw6": raw6, "icmp": ping4, "icmp6": ping6,
	"unix": unixText, "netlink": netlinkText, "packet": packetText, "dev": dev, "route": route, "ipv6_route": route6, "if_inet6": ifInet6, "arp": arp,
	"snmp": snmp, "snmp6": snmp6, "netstat": netstat, "sockstat": sockstat, "sockstat6": sockstat6, "protocols": protocols,
}

// Texts makes the files; procfs is given it.
type Texts struct{}

// Names lists the files.
func (Texts) Names() []string {
	names := make([]string, 0, len(texts))
	for n := range texts {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Text returns a file's contents in ns, a *socket.Namespace; nil for a file that is not there.
func (Texts) Text(ns any, name string) []byte {
	n, ok := ns.(*socket.Namespace)
	w := texts[name]
	if !ok || n == nil || w == nil {
		return nil
	}
	return w(n)
}

// pad fills a line up to n columns and ends it.
func pad(b []byte, start, n int) []byte {
	for len(b)-start < n {
		b = append(b, ' ')
	}
	return append(b, '\n')
}
