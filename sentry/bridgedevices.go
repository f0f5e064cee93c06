package sentry

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/fs/sysfs"
	"cordon/sentry/socket"
	"cordon/sentry/vfs"
)

// operState is RFC 2863's state of an interface; one whose carrier has never changed knows none.
func operState(i *netstack.Interface) string {
	switch {
	case !i.Up || !i.Carrier && i.Link == i.Index:
		return "down"
	case !i.Carrier:
		return "lowerlayerdown"
	case i.Loopback || i.Steady:
		return "unknown"
	}
	return "up"
}

// Files of bridges and of ports that can be read only. Set in one place and never changed.
var (
	fixedFiles = []string{
		"gc_timer", "hello_timer", "tcn_timer", "topology_change_timer", "topology_change", "topology_change_detected", "root_path_cost",
		"root_port", "change_ack", "config_pending", "designated_cost", "forward_delay_timer", "hold_timer", "message_age_timer", "state",
	}
	hexFiles = []string{"group_fwd_mask"}
	// What netlink alone has.
	noFiles = []string{"vlan_tunnel", "locked", "mab"}
)

func numberFile(name string, v uint64) sysfs.NetText {
	t := sysfs.NetText{Name: name, Text: strconv.FormatUint(v, 10) + "\n", Mode: 0o644}
	if slices.Contains(fixedFiles, name) {
		t.Mode = 0o444
	}
	if slices.Contains(hexFiles, name) {
		t.Text = fmt.Sprintf("%#x\n", v)
	}
	return t
}

func textFile(name, text string) sysfs.NetText {
	return sysfs.NetText{Name: name, Text: text + "\n", Mode: 0o444}
}

// bridgeDevice adds what /sys shows of a bridge, or of a port of one.
func bridgeDevice(n *socket.Namespace, i *netstack.Interface, d *sysfs.NetDevice) {
	if c, ok := n.Stack.Bridge(i.Index); ok {
		asBridge(n, i, &c, d)
	}
	p, ok := n.Stack.Port(i.Index)
	if !ok {
		return
	}
	br, _ := n.Stack.Interface(p.Bridge)
	c, _ := n.Stack.Bridge(p.Bridge)
	root := idText(&c)
	g := sysfs.NetGroup{Name: "brport", Links: []sysfs.NetLink{{Name: "bridge", Target: "../../" + br.Name}}}
	for _, name := range slices.Sorted(maps.Keys(socket.PortNumbers)) {
		if !slices.Contains(noFiles, name) {
			g.Files = append(g.Files, numberFile(name, socket.PortNumbers[name].Get(&p)))
		}
	}
	id := strconv.Itoa(int(p.ID()))
	g.Files = append(g.Files, textFile("designated_bridge", root), textFile("designated_root", root), textFile("designated_port", id),
		textFile("port_id", fmt.Sprintf("%#x", p.ID())), textFile("port_no", fmt.Sprintf("%#x", p.Number)),
		sysfs.NetText{Name: "backup_port", Text: "\n", Mode: 0o644}, sysfs.NetText{Name: "flush", Mode: 0o200})
	d.Groups = append(d.Groups, g)
	d.Links = append(d.Links, sysfs.NetLink{Name: "master", Target: "../" + br.Name}, sysfs.NetLink{Name: "upper_" + br.Name, Target: "../" + br.Name})
}

func asBridge(n *socket.Namespace, i *netstack.Interface, c *netstack.BridgeConf, d *sysfs.NetDevice) {
	d.Class = "bridge"
	g := sysfs.NetGroup{Name: "bridge"}
	for _, name := range slices.Sorted(maps.Keys(socket.BridgeNumbers)) {
		g.Files = append(g.Files, numberFile(name, socket.BridgeNumbers[name].Get(c)))
	}
	root := idText(c)
	g.Files = append(g.Files, textFile("bridge_id", root), textFile("root_id", root),
		sysfs.NetText{Name: "group_addr", Text: "01:80:c2:00:00:00\n", Mode: 0o644}, sysfs.NetText{Name: "flush", Mode: 0o200})
	ports := sysfs.NetGroup{Name: "brif"}
	for _, p := range n.Stack.Ports(i.Index) {
		l, ok := n.Stack.Interface(p.Index)
		if !ok {
			continue
		}
		ports.Links = append(ports.Links, sysfs.NetLink{Name: l.Name, Target: "../../" + l.Name + "/brport"})
		d.Links = append(d.Links, sysfs.NetLink{Name: "lower_" + l.Name, Target: "../" + l.Name})
	}
	d.Groups = append(d.Groups, g, ports)
	const most = 4096
	raw, _ := n.StationEntries(i.Index, 0, most)
	d.Files = append(d.Files, sysfs.NetText{Name: "brforward", Text: string(raw), Mode: 0o444})
}

func idText(c *netstack.BridgeConf) string {
	id := socket.BridgeID(c)
	return fmt.Sprintf("%02x%02x.%x", id[0], id[1], id[2:])
}

// setNetDevice takes what is written to a file of a bridge or of a port.
func setNetDevice(n *socket.Namespace, c *vfs.Caller, device, file, text string) error {
	if n == nil || n.Stack == nil || !n.Capable(c, linux.CAP_NET_ADMIN) {
		return linux.EPERM
	}
	i, ok := n.Stack.InterfaceByName(device)
	if !ok {
		return linux.ENODEV
	}
	v, err := strconv.ParseUint(strings.TrimSpace(text), 0, 64)
	if err != nil {
		return linux.EINVAL
	}
	group, name, _ := strings.Cut(file, "/")
	switch {
	case group == "bridge" && name == "flush":
		n.Stack.FlushStations(i.Index, nil)
		return nil
	case group == "brport" && name == "flush":
		n.Stack.FlushStations(i.Master, func(st *netstack.Station) bool { return st.Port == i.Index && !st.Static && !st.Local })
		return nil
	case group == "bridge":
		num, ok := socket.BridgeNumbers[name]
		if !ok {
			return linux.EOPNOTSUPP
		}
		return n.ChangeBridge(i.Index, func(b *netstack.BridgeConf) error { return num.Set(b, v) })
	case group == "brport":
		if _, ok := socket.PortNumbers[name]; !ok {
			return linux.EOPNOTSUPP
		}
		return n.ChangePort(i.Index, name, v)
	}
	return linux.EINVAL
}
