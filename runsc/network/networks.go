package network

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"cordon/runsc/boot"
	"cordon/runsc/filter"
	"cordon/runsc/sandbox"

	"golang.org/x/sys/unix"
)

// A NetworkInfo describes a network between sandboxes.
type NetworkInfo struct {
	Name   string `json:"name"`
	Subnet string `json:"subnet,omitempty"` // where nodes without an address get theirs
	MTU    uint32 `json:"mtu"`
	Nodes  []Node `json:"nodes"`
}

// A Node is a sandbox on a network.
type Node struct {
	Name   string   `json:"name"`
	Addrs  []string `json:"addrs"`
	HWAddr string   `json:"hwaddr"`
}

// free returns an address of the subnet that no port has.
func (n *NetworkInfo) free(ports []*port) (string, error) {
	p, err := netip.ParsePrefix(n.Subnet)
	if err != nil {
		return "", fmt.Errorf("network %s has no subnet: the node needs an address", n.Name)
	}
	taken := make(map[string]bool)
	for _, o := range ports {
		for _, a := range o.addrs {
			taken[a] = true
		}
	}
	// The first address is left to a router, as elsewhere.
	ip := p.Masked().Addr().Next().Next()
	for range maxPorts + 1 {
		if !p.Contains(ip) || p.Addr().Is4() && !p.Contains(ip.Next()) {
			break // the last one is for broadcasts
		}
		if a := netip.PrefixFrom(ip, p.Bits()).String(); !taken[a] {
			return a, nil
		}
		ip = ip.Next()
	}
	return "", fmt.Errorf("network %s has no free address in %s", n.Name, n.Subnet)
}

// Networks are those below a directory of their user's.
type Networks struct{ Dir string }

const (
	socketFile  = "switch.sock"
	maxNameSize = 64
	defaultMTU  = 1500
)

// ErrNoNetwork means that there is none of that name.
var ErrNoNetwork = errors.New("no such network")

func checkName(name string) error {
	if name == "" || len(name) > maxNameSize || strings.HasPrefix(name, ".") {
		return fmt.Errorf("%q is no name for a network", name)
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return fmt.Errorf("%q is no name for a network", name)
		}
	}
	return nil
}

// Create makes a network and starts its switch, which stays until Remove.
func (n *Networks) Create(info NetworkInfo, filtered bool) error {
	if err := checkName(info.Name); err != nil {
		return err
	}
	if info.Subnet != "" {
		p, err := netip.ParsePrefix(info.Subnet)
		if err != nil {
			return fmt.Errorf("subnet: %q is no network, as 10.1.0.0/24 is", info.Subnet)
		}
		info.Subnet = p.Masked().String()
	}
	if info.MTU == 0 {
		info.MTU = defaultMTU
	}
	if info.MTU < 576 || info.MTU > 65535 {
		return fmt.Errorf("mtu: %d is not between 576 and 65535", info.MTU)
	}
	dir := filepath.Join(n.Dir, info.Name)
	if err := os.MkdirAll(n.Dir, 0o700); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		if errors.Is(err, os.ErrExist) && n.sweep(info.Name) == nil {
			err = os.Mkdir(dir, 0o700)
		}
		if err != nil {
			return fmt.Errorf("network %s exists", info.Name)
		}
	}
	if err := n.start(dir, info, filtered); err != nil {
		os.RemoveAll(dir)
		return err
	}
	return nil
}

// sweep removes what a switch that has died left behind.
func (n *Networks) sweep(name string) error {
	if _, _, err := n.call(name, &switchRequest{Op: "info"}); err == nil {
		return os.ErrExist
	}
	return os.RemoveAll(filepath.Join(n.Dir, name))
}

func (n *Networks) start(dir string, info NetworkInfo, filtered bool) error {
	spec := switchSpec{Network: info}
	if filtered {
		var err error
		if spec.Filter, err = filter.Switch().Program(); err != nil {
			return err
		}
	}
	data, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	l := os.NewFile(uintptr(fd), "switch")
	defer l.Close()
	err = atDir(dir, func(path string) error { return unix.Bind(fd, &unix.SockaddrUnix{Name: path}) })
	if err == nil {
		err = unix.Listen(fd, 128)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	return sandbox.StartHelper(&sandbox.Helper{Name: "switch", Spec: data, Files: []*os.File{l}, OwnNetwork: true})
}

// atDir calls f with a name of the socket in dir that is short enough for an address.
func atDir(dir string, f func(path string) error) error {
	d, err := os.Open(dir)
	if errors.Is(err, os.ErrNotExist) {
		return ErrNoNetwork
	}
	if err != nil {
		return err
	}
	defer d.Close()
	return f(fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), socketFile))
}

// dial connects to a network's switch.
func (n *Networks) dial(name string) (*channel, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	err = atDir(filepath.Join(n.Dir, name), func(path string) error { return unix.Connect(fd, &unix.SockaddrUnix{Name: path}) })
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("network %s: %w", name, err)
	}
	return newChannel(fd)
}

// call sends one request and returns the answer and its descriptor.
func (n *Networks) call(name string, r *switchRequest) (*switchReply, int, error) {
	c, err := n.dial(name)
	if err != nil {
		return nil, -1, err
	}
	defer c.close()
	reply, fd, err := c.request(r)
	if err != nil {
		return nil, -1, fmt.Errorf("network %s: %w", name, err)
	}
	return reply, fd, nil
}

func (c *channel) request(r *switchRequest) (*switchReply, int, error) {
	if err := c.sendJSON(r, -1); err != nil {
		return nil, -1, err
	}
	var reply switchReply
	fd, err := c.receiveJSON(&reply)
	if err == nil && reply.Error != "" {
		err = errors.New(reply.Error)
	}
	if err != nil {
		closeFD(fd)
		return nil, -1, err
	}
	return &reply, fd, nil
}

// List returns the networks that there are.
func (n *Networks) List() ([]NetworkInfo, error) {
	dirs, err := os.ReadDir(n.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []NetworkInfo
	for _, d := range dirs {
		reply, _, err := n.call(d.Name(), &switchRequest{Op: "info"})
		if err != nil || reply.Network == nil {
			continue // it is just going, or its switch has died
		}
		out = append(out, *reply.Network)
	}
	return out, nil
}

// Remove ends a network. Nodes that are still on it lose their link unless force is not set: then it stays.
func (n *Networks) Remove(name string, force bool) error {
	reply, _, err := n.call(name, &switchRequest{Op: "info"})
	if errors.Is(err, ErrNoNetwork) {
		return err
	}
	if err == nil {
		if nodes := len(reply.Network.Nodes); nodes > 0 && !force {
			return fmt.Errorf("network %s has %d node(s); --force removes it", name, nodes)
		}
		if _, _, err := n.call(name, &switchRequest{Op: "end"}); err != nil {
			return err
		}
	}
	return os.RemoveAll(filepath.Join(n.Dir, name))
}

// Join makes a node on a network: a link that is called as given, for a boot.Network to take.
func (n *Networks) Join(name, node, link string, addrs []netip.Prefix) (*boot.Link, int, error) {
	hw := make([]byte, 6)
	rand.Read(hw)
	hw[0] = hw[0]&^1 | 2 // one station's, of nobody's register
	r := &switchRequest{Op: "join", Node: node, HWAddr: net.HardwareAddr(hw).String()}
	for _, a := range addrs {
		r.Addrs = append(r.Addrs, a.String())
	}
	info, _, err := n.call(name, &switchRequest{Op: "info"})
	if err != nil {
		return nil, -1, err
	}
	if info.Network == nil {
		return nil, -1, fmt.Errorf("network %s: an answer without the network", name)
	}
	reply, fd, err := n.call(name, r)
	if err != nil {
		return nil, -1, err
	}
	l := &boot.Link{Name: link, HWAddr: hw, MTU: info.Network.MTU, Up: true, OwnRoutes: true}
	for _, a := range reply.Addrs {
		p, err := netip.ParsePrefix(a)
		if err != nil {
			closeFD(fd)
			return nil, -1, fmt.Errorf("network %s: %w", name, err)
		}
		l.Addrs = append(l.Addrs, p)
	}
	if fd < 0 {
		return nil, -1, fmt.Errorf("network %s: an answer without a port", name)
	}
	return l, fd, nil
}

// Watch calls show with each line of the network until it ends.
func (n *Networks) Watch(name string, show func(line []byte)) error {
	c, err := n.dial(name)
	if err != nil {
		return err
	}
	defer c.close()
	if _, _, err := c.request(&switchRequest{Op: "watch"}); err != nil {
		return fmt.Errorf("network %s: %w", name, err)
	}
	buf := make([]byte, maxSwitchWords)
	for {
		line, fd, err := c.receiveRaw(buf)
		closeFD(fd)
		if err != nil {
			return nil // the network has gone
		}
		show(line)
	}
}

// ParseNode reads NAME or NAME:ADDR,...: what a sandbox is on a network.
func ParseNode(s string) (name string, addrs []netip.Prefix, err error) {
	name, list, ok := strings.Cut(s, ":")
	if err := checkName(name); err != nil {
		return "", nil, err
	}
	if !ok {
		return name, nil, nil
	}
	for a := range strings.SplitSeq(list, ",") {
		p, err := netip.ParsePrefix(a)
		if err != nil {
			ip, err := netip.ParseAddr(a)
			if err != nil {
				return "", nil, fmt.Errorf("%q: %q is no address with the length of its network", s, a)
			}
			p = netip.PrefixFrom(ip, map[bool]int{true: 24, false: 64}[ip.Is4()])
		}
		if !p.IsValid() || p.Addr().Zone() != "" {
			return "", nil, fmt.Errorf("%q: %q is no address with the length of its network", s, a)
		}
		addrs = append(addrs, p)
	}
	return name, addrs, nil
}
