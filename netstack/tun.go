package netstack

import (
	"context"
	"encoding/binary"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/state"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"cordon/internal/linux"
	"cordon/internal/lock"
)

const kindTun = "tun"

// tunQueue is how many packets wait for a program; further ones are lost (Linux: drivers/net/tun.c TUN_READQ_SIZE).
const tunQueue = 500

// MaxVNetHeader bounds TunConf.HeaderSize: the largest of the virtio standard is 20 bytes.
const MaxVNetHeader = 64

// TunConf is what tun(4) keeps of an interface for its programs.
type TunConf struct {
	Flags      uint16 // IFF_NO_PI and IFF_VNET_HDR
	HeaderSize uint16 // of IFF_VNET_HDR's header: VNetHeaderSize to MaxVNetHeader
	Persistent bool   // it outlives its program
	Owner      uint32 // who may have it beside an administrator; ^0: anybody
	Group      uint32
}

// A Tun is an interface whose other side is a program: what is sent there the program reads, and what it writes comes in. It
// is made by AddTun and ends with RemoveLink. Attach makes a program's descriptor its other side; there is one at a time.
type Tun struct {
	// immutable
	bare bool // packets without an Ethernet header: IFF_TUN

	// atomic
	link  atomic.Pointer[tunLink] // nil: the interface has gone
	conf  atomic.Pointer[TunConf]
	drops atomic.Uint64
	left  atomic.Bool // a program has: since then its carrier tells

	// guarded by mu
	mu     lock.Mutex[lock.TunQueue]
	notify func() // nil: nobody is attached
	queue  [][]byte
}

// A tunLink is a Tun as its stack sees it.
type tunLink struct {
	ether

	// immutable
	tun   *Tun
	stack *Stack
	index int32

	// atomic
	up atomic.Bool
}

// AddTun makes an interface that carries Ethernet frames, or bare packets. It is down.
func (s *Stack) AddTun(spec LinkSpec, bare bool, c TunConf) (*Tun, error) {
	t := &Tun{bare: bare}
	t.conf.Store(&c)
	return t, s.addTunLink(s.nextIndex(), spec, t)
}

func (s *Stack) addTunLink(index int32, spec LinkSpec, t *Tun) error {
	l := &tunLink{tun: t, stack: s, index: index}
	l.bare = t.bare
	// Before anybody can take the interface away again, who is to find it here (leave).
	before := t.link.Swap(l)
	err := s.addVirtual(index, spec, l, linkEntry{kind: kindTun, ether: &l.ether, tun: l})
	if err != nil {
		t.link.CompareAndSwap(l, before)
	}
	return err
}

// TunOf is the Tun that an interface is, nil for another.
func (s *Stack) TunOf(index int32) *Tun {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.links[tcpip.NICID(index)].tun; l != nil {
		return l.tun
	}
	return nil
}

// Bare says whether packets have no Ethernet header.
func (t *Tun) Bare() bool { return t.bare }

// Conf and SetConf are what programs are told of it.
func (t *Tun) Conf() TunConf     { return *t.conf.Load() }
func (t *Tun) SetConf(c TunConf) { t.conf.Store(&c) }

// Where is the interface; nil when it has gone.
func (t *Tun) Where() (s *Stack, index int32) {
	if l := t.link.Load(); l != nil {
		return l.stack, l.index
	}
	return nil, 0
}

// Up says whether the interface is up.
func (t *Tun) Up() bool {
	l := t.link.Load()
	return l != nil && l.up.Load()
}

// Attach makes the caller the other side: notify is called, as what Endpoint.Attach is given, when there is something to
// read, and when the interface has gone or come up. EBUSY when there is somebody, EBADFD when the interface has gone.
func (t *Tun) Attach(notify func()) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.notify != nil:
		return linux.EBUSY
	case t.link.Load() == nil:
		return linux.EBADFD
	}
	t.notify = notify
	return nil
}

// Detach ends what Attach began. What waits is lost.
func (t *Tun) Detach() {
	t.mu.Lock()
	t.notify, t.queue = nil, nil
	t.mu.Unlock()
	t.left.Store(true)
}

// state fills what an interface's other side decides.
func (t *Tun) state(i *Interface) {
	i.Carrier, i.Steady = t.attached(), !t.left.Load()
	i.Counters.TxDropped += t.drops.Load()
}

func (t *Tun) attached() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.notify != nil
}

// Queued is how many packets wait.
func (t *Tun) Queued() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.queue)
}

// Take takes the packet that has waited longest, nil when there is none.
func (t *Tun) Take() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) == 0 {
		return nil
	}
	b := t.queue[0]
	t.queue[0] = nil
	t.queue = t.queue[1:]
	return b
}

// Waiting lists the packets that wait, and Refill has them wait again: for a checkpoint.
func (t *Tun) Waiting() [][]byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.queue[:len(t.queue):len(t.queue)]
}

func (t *Tun) Refill(queue [][]byte) {
	t.mu.Lock()
	t.queue = queue[:min(len(queue), tunQueue)]
	t.mu.Unlock()
}

// give has a packet wait for the program; one that nobody has room for is lost.
func (t *Tun) give(packet []byte) {
	t.mu.Lock()
	f := t.notify
	if f != nil && len(t.queue) < tunQueue {
		t.queue = append(t.queue, packet)
	} else {
		t.drops.Add(1)
	}
	t.mu.Unlock()
	if f != nil {
		f()
	}
}

// Put has a packet of the program's come in; vnet is what it says of it in IFF_VNET_HDR's header, nil if it says nothing.
// EBADFD when the interface has gone, EIO when it is down, EINVAL for what is no packet.
func (t *Tun) Put(packet []byte, vnet *[VNetHeaderSize]byte) error {
	l := t.link.Load()
	if l == nil {
		return linux.EBADFD
	}
	if t.bare {
		proto, ok := bareProtocol(packet)
		if !ok {
			return linux.EINVAL
		}
		if !l.up.Load() {
			return linux.EIO
		}
		packet = append(make([]byte, header.EthernetMinimumSize, header.EthernetMinimumSize+len(packet)), packet...)
		binary.BigEndian.PutUint16(packet[12:], uint16(proto))
	} else if len(packet) < header.EthernetMinimumSize {
		return linux.EINVAL
	} else if !l.up.Load() {
		return linux.EIO
	}
	frames := [][]byte{packet}
	var h vnetHeader
	if vnet != nil {
		h.get(vnet)
	}
	if h.flags&vnetNeedsCsum != 0 || h.gsoType != 0 {
		if t.bare {
			h.csumStart += header.EthernetMinimumSize
		}
		if frames = h.finish(packet); frames == nil {
			return linux.EINVAL
		}
	}
	for _, f := range frames {
		if t.bare {
			f = f[header.EthernetMinimumSize:]
		}
		l.take(buffer.MakeWithData(f))
	}
	return nil
}

// take is ether's receive for either form.
func (l *tunLink) take(packet buffer.Buffer) {
	if !l.bare {
		l.receive(packet)
		return
	}
	d := l.dispatcher.Load()
	v, ok := packet.PullUp(0, 1)
	if d == nil || !ok {
		packet.Release()
		return
	}
	proto, _ := bareProtocol(v.AsSlice())
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: packet})
	defer pkt.DecRef()
	pkt.NetworkProtocolNumber, pkt.PktType = proto, tcpip.PacketHost
	l.age(pkt)
	(*d).DeliverNetworkPacket(proto, pkt)
}

// bareProtocol is which protocol's a packet without a link header is.
func bareProtocol(packet []byte) (tcpip.NetworkProtocolNumber, bool) {
	switch header.IPVersion(packet) {
	case header.IPv4Version:
		return header.IPv4ProtocolNumber, true
	case header.IPv6Version:
		return header.IPv6ProtocolNumber, true
	}
	return 0, false
}

// Attach, Wait, Close and WritePackets are stack.LinkEndpoint's.
func (l *tunLink) Attach(to stack.NetworkDispatcher) {
	if to == nil {
		l.Close()
		return
	}
	l.dispatcher.Store(&to)
}
func (l *tunLink) Wait()  {}
func (l *tunLink) Close() { l.dispatcher.Store(nil) }

// WritePackets gives packets to the program.
func (l *tunLink) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	for _, pkt := range pkts.AsSlice() {
		v := pkt.ToView()
		l.tun.give(v.ToSlice())
		v.Release()
	}
	return pkts.Len(), nil
}

// setUp is told whether the interface is up.
func (l *tunLink) setUp(up bool) {
	l.up.Store(up)
	l.tun.turned()
}

// leave ends the link's part in its Tun, unless that has moved to another stack.
func (l *tunLink) leave() {
	if l.tun.link.CompareAndSwap(l, nil) {
		l.tun.turned()
	}
}

// turned has the program look again.
func (t *Tun) turned() {
	t.mu.Lock()
	f := t.notify
	t.mu.Unlock()
	if f != nil {
		f()
	}
}

// tunImage is what is saved of a Tun beside its link; what waits is its program's.
type tunImage struct {
	bare    bool
	numbers []uint32 // of TunConf
}

func (l *tunLink) image() (i tunImage) {
	if l == nil {
		return i
	}
	c := l.tun.Conf()
	return tunImage{l.bare, []uint32{uint32(c.Flags), uint32(c.HeaderSize), oneIf(c.Persistent), c.Owner, c.Group}}
}

// restoreTun makes the interface of a saved stack again. Its program attaches itself.
func (s *Stack) restoreTun(l *linkImage, spec LinkSpec) error {
	n := l.tun.numbers
	if len(n) != 5 || n[1] < VNetHeaderSize || n[1] > MaxVNetHeader {
		return linux.EINVAL
	}
	t := &Tun{bare: l.tun.bare}
	t.conf.Store(&TunConf{Flags: uint16(n[0]), HeaderSize: uint16(n[1]), Persistent: n[2] != 0, Owner: n[3], Group: n[4]})
	return s.addTunLink(l.index, spec, t)
}

func (*tunImage) StateTypeName() string                         { return "cordon/netstack.tunImage" }
func (*tunImage) StateFields() []string                         { return []string{"bare", "numbers"} }
func (i *tunImage) parts() []any                                { return []any{&i.bare, &i.numbers} }
func (i *tunImage) StateSave(m state.Sink)                      { saveParts(m, i.parts()) }
func (i *tunImage) StateLoad(_ context.Context, m state.Source) { loadParts(m, i.parts()) }

func (*tunLink) StateTypeName() string                     { return "cordon/netstack.tunLink" }
func (*tunLink) StateFields() []string                     { return nil }
func (*tunLink) StateSave(state.Sink)                      {}
func (l *tunLink) StateLoad(context.Context, state.Source) { l.init(MinMTU6, HWAddr{}) }
