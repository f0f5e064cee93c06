package cli

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"cordon/runsc/boot"
	"cordon/runsc/network"
)

// netCommand is the process that opens sockets of the host; package network starts it.
func netCommand() *command {
	return &command{name: "net", hidden: true, summary: "the network broker's process", flags: func(*flag.FlagSet) runner {
		return func(*globals, []string) (int, error) { return network.BrokerMain(), nil }
	}}
}

// netFlags are those of network "user".
type netFlags struct {
	publish      list
	allow        list
	deny         denyFlag
	hostLoopback bool
	nets         list
	routes       list
	sysctl       list

	nodes   []nodeFlag
	ways    []boot.Route
	sysctls map[string]string

	detached bool // the broker outlives this process
	user     network.User
}

// A denyFlag is --deny-net, for everything, or --deny-net=LIST.
type denyFlag struct {
	all  bool
	list []string
}

func (d *denyFlag) String() string   { return "" }
func (d *denyFlag) IsBoolFlag() bool { return true }
func (d *denyFlag) Set(v string) error {
	switch v {
	case "true":
		d.all = true
	case "false":
		*d = denyFlag{}
	default:
		d.list = append(d.list, v)
	}
	return nil
}

func (n *netFlags) declare(fs *flag.FlagSet) {
	fs.Var(&n.publish, "publish", "`[ADDR:]HOST:GUEST[/udp]`: have a port of the host lead to one of the guest's (network user)")
	fs.Var(&n.publish, "p", "short for --publish")
	fs.Var(&n.allow, "allow-net", "`HOST:PORT,...`: all that the guest may reach: names, *.NAME, addresses, networks or *; a port, a range or nothing (network user)")
	fs.Var(&n.deny, "deny-net", "let the guest reach nothing that --allow-net does not name; with =`HOST:PORT,...` not these (network user)")
	fs.Var(&n.nets, "net", "`NAME[:ADDR,...]`: be a node on a network that `runsc network create` made, with these addresses or the next free one")
	fs.Var(&n.routes, "route", "`NETWORK=GATEWAY`: a route for --net; NETWORK is default or a prefix")
	fs.Var(&n.sysctl, "sysctl", "`NAME=VALUE`: as net.ipv4.ip_forward=1 for a sandbox that is a router")
	fs.BoolVar(&n.hostLoopback, "allow-host-loopback", false, "have the gateway's address, 10.0.2.2, lead to 127.0.0.1 of the host (network user)")
}

// wanted says whether there is anything for the stack beside its loopback.
func (n *netFlags) wanted(m boot.NetworkMode) bool {
	return m == boot.NetworkUser || len(n.nodes) > 0
}

// choose settles whether the network is "user", which it is for ordinary users and with flags of its own, and reads these.
func (n *netFlags) choose(g *globals) error {
	given := len(n.publish) > 0 || len(n.allow) > 0 || n.deny.all || len(n.deny.list) > 0 || n.hostLoopback
	switch {
	case len(n.nets) > 0 && (g.network == "none" || g.network == "host"):
		return fmt.Errorf("--net: a sandbox of network %s has no interfaces of its own", g.network)
	case g.network == "" && (given || rootless() && len(n.nets) == 0):
		g.network = string(boot.NetworkUser)
	case given && g.network != string(boot.NetworkUser):
		return fmt.Errorf("--network: -p, --allow-net, --deny-net and --allow-host-loopback are for network user, not %s", g.network)
	}
	for _, s := range n.publish {
		p, err := network.ParsePublished(s)
		if err != nil {
			return fmt.Errorf("--publish: %w", err)
		}
		n.user.Published = append(n.user.Published, p)
	}
	for _, s := range n.nets {
		name, addrs, err := network.ParseNode(s)
		if err != nil {
			return fmt.Errorf("--net: %w", err)
		}
		n.nodes = append(n.nodes, nodeFlag{name, addrs})
	}
	if err := n.readRoutes(); err != nil {
		return err
	}
	n.sysctls = make(map[string]string)
	for _, s := range n.sysctl {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			return fmt.Errorf("--sysctl: %q is not NAME=VALUE", s)
		}
		n.sysctls[name] = value
	}
	p := &n.user.Policy
	var err error
	if p.Allow, err = network.ParseRules(strings.Join(n.allow, ",")); err != nil {
		return fmt.Errorf("--allow-net: %w", err)
	}
	if p.Deny, err = network.ParseRules(strings.Join(n.deny.list, ",")); err != nil {
		return fmt.Errorf("--deny-net: %w", err)
	}
	p.Restricted = len(n.allow) > 0 || n.deny.all
	p.HostLoopback = n.hostLoopback
	return nil
}

// readRoutes reads --route. The interface is the one whose network has the gateway.
func (n *netFlags) readRoutes() error {
	for _, s := range n.routes {
		to, via, ok := strings.Cut(s, "=")
		gw, err := netip.ParseAddr(via)
		if !ok || err != nil {
			return fmt.Errorf("--route: %q is not NETWORK=GATEWAY", s)
		}
		dst := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if gw.Is6() {
			dst = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		if to != "default" {
			if dst, err = netip.ParsePrefix(to); err != nil {
				return fmt.Errorf("--route: %q is neither a network nor default", to)
			}
		}
		if dst.Addr().Is4() != gw.Is4() {
			return fmt.Errorf("--route: %q leads to another family", s)
		}
		n.ways = append(n.ways, boot.Route{Dst: dst.Masked(), Gateway: gw})
	}
	if len(n.ways) > 0 && len(n.nodes) == 0 {
		return fmt.Errorf("--route: there is no --net")
	}
	return nil
}

// start returns what makes the network of a sandbox, which is called node on others' networks.
func (n *netFlags) start(g *globals, m boot.NetworkMode, node string) func(int) (*boot.Network, error) {
	n.user.Log, n.user.JSON = os.Stderr, g.logger.json
	if n.detached {
		n.user.Log = nil // a client that waits for the end of its pipe would wait for the broker's
	}
	if g.logger.file != nil {
		n.user.Log = g.logger.file
	}
	n.user.Attached, n.user.NoFilter = !n.detached, g.noFilter
	return func(int) (*boot.Network, error) {
		out := network.None()
		if m == boot.NetworkUser {
			var err error
			if out, err = n.user.Start(); err != nil {
				return nil, err
			}
		}
		if err := joinNetworks(g, out, node, n.nodes); err != nil {
			out.CloseFDs()
			return nil, err
		}
		out.Routes = append(out.Routes, n.ways...)
		return out, nil
	}
}
