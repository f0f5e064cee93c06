package boot

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"

	"cordon/runsc/control"

	"golang.org/x/sys/unix"
)

// A Network is what a sandbox's stack is made of beside its loopback. It is sent to the boot process when it is known,
// which may be after hooks have run; until then the boot process waits for it.
type Network struct {
	Links      []Link      `json:"links,omitempty"`
	Routes     []Route     `json:"routes,omitempty"`
	Neighbours []Neighbour `json:"neighbours,omitempty"`

	// Gateway is the stack's way out by sockets of the host; nil for none.
	Gateway *Gateway `json:"gateway,omitempty"`
	// Diverted are addresses of loopback that nobody in the guest listens on and the broker answers for.
	Diverted []netip.AddrPort `json:"diverted,omitempty"`
	// Broker opens the host's sockets for the two: a place in FDs, or -1.
	Broker int `json:"broker"`

	// Loopback has programs of the host in the namespace reach the sandbox's loopback; nil for none.
	Loopback *Loopback `json:"loopback,omitempty"`

	// Watch has the stack follow the namespace; nil for none.
	Watch *Watch `json:"watch,omitempty"`

	// FDs are the descriptors that go along; the fields above hold places in it.
	FDs []int `json:"-"`
}

// A Watch is what shows changes of the network namespace: places in Network.FDs.
type Watch struct {
	// Events is a netlink socket that hears of changes; Queries is one to ask by.
	Events  int `json:"events"`
	Queries int `json:"queries"`
	// Opener gives sockets of frames (runsc/sandbox/opener.c).
	Opener int `json:"opener"`
}

// A Loopback is what stands for the sandbox's 127.0.0.1 and ::1 in its network namespace: places in Network.FDs.
type Loopback struct {
	// Listeners get the connections to any port.
	Listeners []int `json:"listeners"`
	// Link leads them there for as long as it is open.
	Link int `json:"link"`
}

// A Link is an interface.
type Link struct {
	Index  int32          `json:"index,omitempty"`
	Name   string         `json:"name"`
	HWAddr []byte         `json:"hwaddr,omitempty"`
	MTU    uint32         `json:"mtu"`
	Up     bool           `json:"up"`
	Addrs  []netip.Prefix `json:"addrs,omitempty"`
	// OwnRoutes: the routes to the addresses' networks come with them; else they are in the list.
	OwnRoutes bool `json:"ownRoutes,omitempty"`

	// FD takes and gives frames: a place in Network.FDs.
	FD         int    `json:"fd"`
	VNetHeader bool   `json:"vnetHeader,omitempty"`
	GSOMax     uint32 `json:"gsoMax,omitempty"`
}

// A Route is a row of the main table, in the order in which they count.
type Route struct {
	Dst     netip.Prefix `json:"dst"`
	Gateway netip.Addr   `json:"gateway,omitzero"`
	Src     netip.Addr   `json:"src,omitzero"`
	Link    string       `json:"link"` // empty: the one whose network has the gateway
	MTU     uint32       `json:"mtu,omitempty"`
	Metric  int          `json:"metric,omitempty"`
}

// A Neighbour is a permanent entry of the neighbour table.
type Neighbour struct {
	Addr   netip.Addr `json:"addr"`
	HWAddr []byte     `json:"hwaddr"`
	Link   string     `json:"link"`
}

// A Gateway is the far end of the interface eth0 of network "user".
type Gateway struct {
	// Addrs are the gateway's own, with their networks; Guest the guest's.
	Addrs []netip.Prefix `json:"addrs"`
	Guest []netip.Prefix `json:"guest"`
	// DNS are addresses of the gateway's network at which the host's resolver is asked.
	DNS []netip.Addr `json:"dns"`
	// Default are the gateways of the guest's default routes.
	Default []netip.Addr `json:"default"`
	MTU     uint32       `json:"mtu"`
}

// OpConnect takes a Link and its descriptor: a further interface of the running sandbox. A Link without a name gets the next
// of eth0, eth1 and so on.
const OpConnect = "connect"

// A Connecter is a Kernel that takes further interfaces.
type Connecter interface {
	// Connect takes the descriptor over, in a failure too.
	Connect(l *Link, fd int) error
}

func (b *box) connect(c *control.Call) error {
	var l Link
	if err := c.Decode(&l); err != nil {
		return err
	}
	if len(c.FDs) != 1 {
		return fmt.Errorf("an interface needs one descriptor, not %d", len(c.FDs))
	}
	k, ok := b.kernel.(Connecter)
	if !ok {
		return errUnable("take further interfaces")
	}
	return k.Connect(&l, c.TakeFDs()[0])
}

// maxNetworkFDs is how many descriptors fit into one message (SCM_MAX_FD).
const maxNetworkFDs = 253

// Send sends the network over a SEQPACKET socket.
func (n *Network) Send(sock int) error {
	if len(n.FDs) > maxNetworkFDs {
		return fmt.Errorf("%d interfaces are too many", len(n.FDs))
	}
	data, err := json.Marshal(n)
	if err != nil {
		return err
	}
	// Tables of routes may be larger than a message.
	fd, err := unix.MemfdCreate("network", unix.MFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("memfd_create: %w", err)
	}
	defer unix.Close(fd)
	if _, err := unix.Pwrite(fd, data, 0); err != nil {
		return err
	}
	return unix.Sendmsg(sock, []byte{'n'}, unix.UnixRights(append([]int{fd}, n.FDs...)...), nil, 0)
}

// ReceiveNetwork waits for a network and closes the socket.
func ReceiveNetwork(sock int) (*Network, error) {
	defer unix.Close(sock)
	var b [1]byte
	oob := make([]byte, unix.CmsgSpace((maxNetworkFDs+1)*4))
	var n, oobn int
	var err error
	for {
		n, oobn, _, _, err = unix.Recvmsg(sock, b[:], oob, unix.MSG_CMSG_CLOEXEC)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil || n != 1 {
		return nil, fmt.Errorf("waiting for the network: %d bytes, %v", n, err)
	}
	var fds []int
	msgs, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return nil, err
	}
	for _, m := range msgs {
		got, err := unix.ParseUnixRights(&m)
		if err != nil {
			return nil, err
		}
		fds = append(fds, got...)
	}
	if len(fds) == 0 {
		return nil, errors.New("the network came without its description")
	}
	defer unix.Close(fds[0])
	return readNetwork(fds[0], fds[1:])
}

func readNetwork(fd int, fds []int) (*Network, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	if st.Size > maxSpec {
		return nil, fmt.Errorf("a network of %d bytes", st.Size)
	}
	data := make([]byte, st.Size)
	if n, err := unix.Pread(fd, data, 0); err != nil || n != len(data) {
		return nil, fmt.Errorf("reading the network: %d of %d bytes, %v", n, len(data), err)
	}
	net := &Network{FDs: fds}
	if err := json.Unmarshal(data, net); err != nil {
		return nil, fmt.Errorf("decoding the network: %w", err)
	}
	return net, nil
}

// FD returns the descriptor at a place, or -1.
func (n *Network) FD(place int) int {
	if place < 0 || place >= len(n.FDs) {
		return -1
	}
	return n.FDs[place]
}

// Add appends a descriptor and returns its place.
func (n *Network) Add(fd int) int {
	n.FDs = append(n.FDs, fd)
	return len(n.FDs) - 1
}

// CloseFDs closes the sender's descriptors.
func (n *Network) CloseFDs() {
	for _, fd := range n.FDs {
		unix.Close(fd)
	}
	n.FDs = nil
}
