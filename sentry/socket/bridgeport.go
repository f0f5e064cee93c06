package socket

import (
	"cordon/internal/linux"
	"cordon/netstack"
)

// A PortNumber is a number that can be set of a bridge's port: by an attribute or a file.
type PortNumber struct {
	Get func(p *netstack.Port) uint64
	Set func(p *netstack.Port, v uint64) error
}

func portFlag(f netstack.PortFlags) PortNumber {
	return PortNumber{
		func(p *netstack.Port) uint64 {
			if p.Flags&f != 0 {
				return 1
			}
			return 0
		},
		func(p *netstack.Port, v uint64) error {
			if p.Flags &^= f; v != 0 {
				p.Flags |= f
			}
			return nil
		},
	}
}

func fixedPort(v uint64) PortNumber {
	return PortNumber{func(*netstack.Port) uint64 { return v }, func(_ *netstack.Port, w uint64) error {
		if w != v {
			return linux.EOPNOTSUPP
		}
		return nil
	}}
}

// PortNumbers are what the files of a port's directory in /sys show, by name. Set in one place and never changed.
var PortNumbers = map[string]PortNumber{
	"priority": {func(p *netstack.Port) uint64 { return uint64(p.Priority) }, func(p *netstack.Port, v uint64) error {
		if v > maxPortPriority {
			return linux.ERANGE
		}
		p.Priority = uint16(v)
		return nil
	}},
	"path_cost": {func(p *netstack.Port) uint64 { return uint64(p.Cost) }, func(p *netstack.Port, v uint64) error {
		if v == 0 || v > maxPathCost {
			return linux.ERANGE
		}
		p.Cost = uint32(v)
		return nil
	}},
	"group_fwd_mask": {func(p *netstack.Port) uint64 { return uint64(p.GroupMask) }, func(p *netstack.Port, v uint64) error {
		const bridges = 1 // the groups of spanning trees' frames
		if v&bridges != 0 {
			return linux.EINVAL
		}
		p.GroupMask = uint16(v)
		return nil
	}},
	"hairpin_mode": portFlag(netstack.PortHairpin), "learning": portFlag(netstack.PortLearning), "unicast_flood": portFlag(netstack.PortFlood),
	"multicast_flood": portFlag(netstack.PortMcastFlood), "broadcast_flood": portFlag(netstack.PortBcastFlood),
	"isolated":   portFlag(netstack.PortIsolated),
	"bpdu_guard": fixedPort(0), "root_block": fixedPort(0), "multicast_fast_leave": fixedPort(0), "proxyarp": fixedPort(0),
	"proxyarp_wifi": fixedPort(0), "multicast_router": fixedPort(1), "multicast_to_unicast": fixedPort(0), "neigh_suppress": fixedPort(0),
	"change_ack": fixedPort(0), "config_pending": fixedPort(0), "designated_cost": fixedPort(0), "forward_delay_timer": fixedPort(0),
	"hold_timer": fixedPort(0), "message_age_timer": fixedPort(0), "vlan_tunnel": fixedPort(0), "locked": fixedPort(0), "mab": fixedPort(0),
	"state": {func(p *netstack.Port) uint64 { return uint64(p.State) }, func(p *netstack.Port, v uint64) error {
		if v != uint64(p.State) {
			return linux.EOPNOTSUPP // ports pass frames, or their links are down
		}
		return nil
	}},
}

// ChangePort sets a number of a port, and tells. EINVAL for a link that is none.
func (n *Namespace) ChangePort(index int32, name string, v uint64) error {
	p, ok := n.Stack.Port(index)
	if !ok {
		return linux.EINVAL
	}
	if err := PortNumbers[name].Set(&p, v); err != nil {
		return err
	}
	if err := n.Stack.SetPort(index, p.PortConf); err != nil {
		return err
	}
	n.LinkChanged(index)
	return nil
}

// StationsOf are the group addresses that a link itself listens to, in Linux's order.
func StationsOf(i *netstack.Interface) (out []netstack.HWAddr) {
	if i.Loopback {
		return nil
	}
	if i.Up || !i.Started {
		out = append(out, netstack.HWAddr{0x33, 0x33, 0, 0, 0, 1})
	}
	if !i.Up {
		return out
	}
	if i.Kind == "bridge" {
		out = append(out, netstack.HWAddr{0x01, 0, 0x5e, 0, 0, 0x6a}, netstack.HWAddr{0x33, 0x33, 0, 0, 0, 0x6a})
	}
	out = append(out, netstack.HWAddr{0x01, 0, 0x5e, 0, 0, 1})
	for _, p := range i.Addrs {
		if a := p.Addr().As16(); !p.Addr().Is4() {
			out = append(out, netstack.HWAddr{0x33, 0x33, 0xff, a[13], a[14], a[15]})
		}
	}
	return out
}
