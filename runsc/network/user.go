package network

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"cordon/runsc/boot"
	"cordon/runsc/filter"
	"cordon/runsc/sandbox"

	"golang.org/x/sys/unix"
)

// User says how a sandbox of network "user" reaches the world, and the world it.
type User struct {
	Policy    Policy
	Published []Published
	// Log gets a line for each attempt that the policy denies; JSON is their form.
	Log  *os.File
	JSON bool
	// Attached ends the broker with this process.
	Attached bool
	// NoFilter leaves out the broker's system call filter.
	NoFilter bool
}

// What network "user" looks like inside, as in other programs of its kind.
var (
	userGateway = []netip.Prefix{netip.MustParsePrefix("10.0.2.2/24"), netip.MustParsePrefix("fd00::2/64")}
	userGuest   = []netip.Prefix{netip.MustParsePrefix("10.0.2.15/24"), netip.MustParsePrefix("fd00::15/64")}
	userDNS     = []netip.Addr{netip.MustParseAddr("10.0.2.3"), netip.MustParseAddr("fd00::3")}
)

// userMTU lets the guest send in large pieces: the frames leave no process.
const userMTU = 65520

const portDNS = 53

// Start starts the broker and returns the network that the sandbox gets.
func (u *User) Start() (*boot.Network, error) {
	c := BrokerConfig{Policy: u.Policy, Published: u.Published, JSON: u.JSON, Resolvers: hostResolvers()}
	n := None()
	n.Gateway = &boot.Gateway{Addrs: userGateway, Guest: userGuest, DNS: userDNS, MTU: userMTU, Default: []netip.Addr{userGateway[0].Addr()}}
	if routes6() {
		n.Gateway.Default = append(n.Gateway.Default, userGateway[1].Addr())
	}
	for _, p := range userGateway {
		c.Gateway = append(c.Gateway, p.Addr())
	}
	for _, d := range userDNS {
		c.DNS = append(c.DNS, netip.AddrPortFrom(d, portDNS))
	}
	// The guest's resolv.conf is its own matter. Where it names the host's, that one is meant, and where a resolver of the
	// guest itself is named, or none, somebody has to be it.
	for _, r := range append(c.Resolvers, netip.MustParseAddrPort("127.0.0.1:53"), netip.MustParseAddrPort("[::1]:53")) {
		c.DNS = append(c.DNS, r)
		if r.Addr().IsLoopback() {
			n.Diverted = append(n.Diverted, r)
		}
	}
	var ports []*os.File
	defer func() {
		for _, f := range ports {
			f.Close()
		}
	}()
	for i := range u.Published {
		fd, err := u.Published[i].listen()
		if err != nil {
			return nil, err
		}
		ports = append(ports, os.NewFile(uintptr(fd), "port"))
	}
	return n, startBroker(n, &c, "", u.Attached, u.Log, ports, !u.NoFilter)
}

// startBroker starts the broker in a network namespace and puts its channel into the network.
func startBroker(n *boot.Network, c *BrokerConfig, netns string, attached bool, log *os.File, ports []*os.File, filtered bool) error {
	if log == nil {
		null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer null.Close()
		log = null
	}
	spec := brokerSpec{Config: *c}
	if filtered {
		var err error
		if spec.Filter, err = filter.Broker().Program(); err != nil {
			return err
		}
	}
	data, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socketpair: %w", err)
	}
	theirs := os.NewFile(uintptr(p[1]), "broker")
	defer theirs.Close()
	err = sandbox.StartHelper(&sandbox.Helper{
		Name: "net", Spec: data, Files: append([]*os.File{theirs, log}, ports...), NetNS: netns, Attached: attached,
	})
	if err != nil {
		unix.Close(p[0])
		return err
	}
	n.Broker = n.Add(p[0])
	return nil
}

// hostResolvers reads the host's resolv.conf.
func hostResolvers() []netip.AddrPort {
	f, err := os.Open("/etc/resolv.conf")
	if err != nil {
		return []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53")} // resolv.conf(5)
	}
	defer f.Close()
	var out []netip.AddrPort
	for s := bufio.NewScanner(f); s.Scan(); {
		w := strings.Fields(s.Text())
		if len(w) < 2 || w[0] != "nameserver" {
			continue
		}
		if ip, err := netip.ParseAddr(w[1]); err == nil && ip.Zone() == "" {
			out = append(out, netip.AddrPortFrom(ip, portDNS))
		}
	}
	if len(out) == 0 {
		out = append(out, netip.MustParseAddrPort("127.0.0.1:53"))
	}
	return out
}

// routes6 says whether the host has a way to the IPv6 world. No packet is sent.
func routes6() bool {
	s, err := connectDatagrams(netip.MustParseAddrPort("[2001:4860:4860::8888]:53"))
	if err != nil {
		return false
	}
	s.f.Close()
	return true
}

// dockerResolver is where Docker answers for the names of a network's containers, by rules of the namespace's NAT that
// lead to a socket in it.
var dockerResolver = netip.MustParseAddrPort("127.0.0.11:53")

// AddResolver has what the guest asks of 127.0.0.11 asked in the network namespace, where somebody may answer.
func AddResolver(n *boot.Network, netns string, log *os.File, filtered bool) error {
	n.Diverted = append(n.Diverted, dockerResolver)
	return startBroker(n, &BrokerConfig{Only: dockerResolver}, netns, false, log, nil, filtered)
}

// NamesDockerResolver says whether a resolv.conf has Docker's resolver.
func NamesDockerResolver(path string) bool {
	data, err := os.ReadFile(path)
	return err == nil && strings.Contains(string(data), "nameserver "+dockerResolver.Addr().String())
}
