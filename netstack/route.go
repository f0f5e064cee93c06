package netstack

import (
	"gvisor.dev/gvisor/pkg/tcpip"
)

// SetRoutes replaces the main table. Rows to one destination are searched in the order given; a longer prefix is found
// before a shorter one.
func (s *Stack) SetRoutes(rs []Route) {
	table := make([]tcpip.Route, 0, len(rs))
	for _, r := range rs {
		table = append(table, r.tcpip())
	}
	s.s.SetRouteTable(table)
}
