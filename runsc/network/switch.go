package network

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"cordon/runsc/filter"
	"cordon/runsc/idle"

	"golang.org/x/sys/unix"
)

// A switch is a process that passes Ethernet frames on between sandboxes: one segment, as a bridge is. It serves a socket in
// the network's directory, over which a node joins, and others ask who is there or watch.

// Descriptors of the switch process.
const (
	fdSwitchConfig = fdBrokerConfig
	fdSwitchListen = fdBrokerChannel
)

// switchSpec is what fdSwitchConfig holds.
type switchSpec struct {
	Network NetworkInfo
	Filter  []byte
}

// A switchRequest is the one message of a client.
type switchRequest struct {
	Op     string   `json:"op"` // "join", "info", "watch", "end"
	Node   string   `json:"node,omitempty"`
	Addrs  []string `json:"addrs,omitempty"` // with their networks; empty: one of the subnet
	HWAddr string   `json:"hwaddr,omitempty"`
}

// A switchReply is the answer; to "join" it comes with the node's descriptor.
type switchReply struct {
	Error   string       `json:"error,omitempty"`
	Network *NetworkInfo `json:"network,omitempty"`
	Addrs   []string     `json:"addrs,omitempty"`
}

// Limits of a switch.
const (
	maxPorts       = 256
	maxStations    = 4096
	maxWatchers    = 16
	watchQueue     = 1024
	maxFrame       = 65535 + 18
	maxSwitchWords = 64 << 10 // a request or a reply
)

// hwAddr is an Ethernet address.
type hwAddr [6]byte

func (a hwAddr) group() bool { return a[0]&1 != 0 }

// A port is one node's end.
type port struct {
	// immutable
	node  string
	addrs []string
	hw    string
	fd    int // for sending
	file  *os.File
}

// A netSwitch is the segment.
type netSwitch struct {
	// immutable
	listener *channel

	mu sync.RWMutex
	// guarded by mu
	info     NetworkInfo
	ports    []*port
	stations map[hwAddr]*port
	watchers map[chan []byte]bool
}

// SwitchMain is the switch's process. It returns the exit code.
func SwitchMain() int {
	var spec switchSpec
	if err := readSpecFD(fdSwitchConfig, &spec); err != nil {
		return 1
	}
	l, err := newChannel(fdSwitchListen)
	if err != nil {
		return 1
	}
	if len(spec.Filter) > 0 {
		if err := filter.Install(spec.Filter); err != nil {
			return 1
		}
	}
	unix.Close(fdBrokerReady)
	idle.Settle()
	s := &netSwitch{listener: l, info: spec.Network, stations: make(map[hwAddr]*port), watchers: make(map[chan []byte]bool)}
	s.serve()
	return 0
}

// serve accepts clients until it is told to end.
func (s *netSwitch) serve() {
	for {
		var fd int
		var failure error
		err := s.listener.conn.Read(func(l uintptr) bool {
			fd, _, failure = unix.Accept4(int(l), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			return failure != unix.EAGAIN
		})
		if err != nil {
			return
		}
		if failure != nil {
			time.Sleep(time.Millisecond)
			continue
		}
		go s.client(fd)
	}
}

func (s *netSwitch) client(fd int) {
	c, err := newChannel(fd)
	if err != nil {
		unix.Close(fd)
		return
	}
	defer c.close()
	c.file.SetReadDeadline(time.Now().Add(10 * time.Second))
	var r switchRequest
	if _, err := c.receiveJSON(&r); err != nil {
		return
	}
	c.file.SetReadDeadline(time.Time{})
	switch r.Op {
	case "join":
		s.join(c, &r)
	case "info":
		s.mu.RLock()
		info := s.infoLocked()
		s.mu.RUnlock()
		c.sendJSON(&switchReply{Network: &info}, -1)
	case "watch":
		s.watch(c)
	case "end":
		c.sendJSON(&switchReply{}, -1)
		os.Exit(0)
	default:
		c.sendJSON(&switchReply{Error: fmt.Sprintf("unknown operation %q", r.Op)}, -1)
	}
}

func (s *netSwitch) infoLocked() NetworkInfo {
	info := s.info
	info.Nodes = nil
	for _, p := range s.ports {
		info.Nodes = append(info.Nodes, Node{Name: p.node, Addrs: p.addrs, HWAddr: p.hw})
	}
	return info
}

// join makes a port.
func (s *netSwitch) join(c *channel, r *switchRequest) {
	s.mu.Lock()
	p, theirs, err := s.addPortLocked(r)
	s.mu.Unlock()
	if err != nil {
		c.sendJSON(&switchReply{Error: err.Error()}, -1)
		return
	}
	err = c.sendJSON(&switchReply{Addrs: p.addrs}, theirs)
	unix.Close(theirs)
	if err == nil {
		s.carry(p)
	}
	s.leave(p)
}

func (s *netSwitch) addPortLocked(r *switchRequest) (*port, int, error) {
	if len(s.ports) >= maxPorts {
		return nil, -1, fmt.Errorf("network %s has %d nodes", s.info.Name, maxPorts)
	}
	addrs := r.Addrs
	if len(addrs) == 0 {
		a, err := s.info.free(s.ports)
		if err != nil {
			return nil, -1, err
		}
		addrs = []string{a}
	}
	for _, p := range s.ports {
		for _, a := range p.addrs {
			if slices.Contains(addrs, a) {
				return nil, -1, fmt.Errorf("%s is %s's on network %s", a, p.node, s.info.Name)
			}
		}
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, -1, err
	}
	for _, fd := range pair {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, portBuffer) // as much of it as the host gives
	}
	p := &port{node: r.Node, addrs: addrs, hw: r.HWAddr, fd: pair[0], file: os.NewFile(uintptr(pair[0]), "port")}
	s.ports = append(s.ports, p)
	return p, pair[1], nil
}

// portBuffer is how much may wait for a node.
const portBuffer = 1 << 20

// leave undoes join.
func (s *netSwitch) leave(p *port) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ports = slices.DeleteFunc(s.ports, func(o *port) bool { return o == p })
	for a, o := range s.stations {
		if o == p {
			delete(s.stations, a)
		}
	}
	p.file.Close() // under the lock: nobody is about to send to its number
}

// carry passes on what a node sends until it has gone.
func (s *netSwitch) carry(p *port) {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return
	}
	buf := make([]byte, maxFrame+1)
	for {
		var n int
		var failure error
		err := conn.Read(func(fd uintptr) bool {
			n, _, _, _, failure = unix.Recvmsg(int(fd), buf, nil, 0)
			return failure != unix.EAGAIN && failure != unix.EINTR
		})
		if err != nil || failure != nil || n == 0 {
			return
		}
		if n >= 14 && n <= maxFrame {
			s.pass(p, buf[:n])
		}
	}
}

// pass sends a frame to its station, or to all. What a node has no room for is lost.
func (s *netSwitch) pass(from *port, frame []byte) {
	dst, src := hwAddr(frame[0:6]), hwAddr(frame[6:12])
	s.mu.RLock()
	learned := src.group() || s.stations[src] == from
	s.mu.RUnlock()
	if !learned {
		s.mu.Lock()
		if len(s.stations) >= maxStations {
			clear(s.stations) // a flood of made-up stations makes a hub of the switch, for a moment
		}
		s.stations[src] = from
		s.mu.Unlock()
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	to := s.stations[dst]
	if to == from {
		return
	}
	switch {
	case to != nil:
		unix.SendmsgN(to.fd, frame, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	default:
		for _, p := range s.ports {
			if p != from {
				unix.SendmsgN(p.fd, frame, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
			}
		}
	}
	if len(s.watchers) > 0 {
		s.showLocked(from, to, frame)
	}
}

// showLocked tells the watchers of a frame; the lock is held for reading.
func (s *netSwitch) showLocked(from, to *port, frame []byte) {
	h := describe(frame)
	h.Time, h.Network, h.From = time.Now().UTC().Format(time.RFC3339Nano), s.info.Name, from.node
	if to != nil {
		h.To = to.node
	}
	line, err := json.Marshal(&h)
	if err != nil {
		return
	}
	for w := range s.watchers {
		select {
		case w <- line:
		default: // a slow watcher misses some
		}
	}
}

// watch streams lines until the watcher goes.
func (s *netSwitch) watch(c *channel) {
	w := make(chan []byte, watchQueue)
	s.mu.Lock()
	full := len(s.watchers) >= maxWatchers
	if !full {
		s.watchers[w] = true
	}
	s.mu.Unlock()
	if full {
		c.sendJSON(&switchReply{Error: "too many watch already"}, -1)
		return
	}
	defer func() {
		s.mu.Lock()
		delete(s.watchers, w)
		s.mu.Unlock()
	}()
	if c.sendJSON(&switchReply{}, -1) != nil {
		return
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		var r switchRequest
		c.receiveJSON(&r) // the end: a watcher says nothing more
	}()
	for {
		select {
		case line := <-w:
			if c.sendRaw(line, -1) != nil {
				return
			}
		case <-gone:
			return
		}
	}
}

// readSpecFD reads what a process was told in a memory file, and closes it.
func readSpecFD(fd int, into any) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Size > maxBrokerSpec {
		return fmt.Errorf("its configuration has %d bytes: %v", st.Size, err)
	}
	data := make([]byte, st.Size)
	if n, err := unix.Pread(fd, data, 0); err != nil || n != len(data) {
		return fmt.Errorf("reading its configuration: %v", err)
	}
	unix.Close(fd)
	return json.Unmarshal(data, into)
}
