package netstack

import (
	"context"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/state"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"cordon/internal/linux"
	"cordon/internal/lock"
)

// A Link is an interface to make on a host descriptor: a socket that takes and gives one Ethernet frame with each message.
type Link struct {
	Name   string
	HWAddr HWAddr
	MTU    uint32

	// FD is the socket, non-blocking, which the Stack takes over.
	FD int
	// VNetHeader: each frame is preceded by a struct virtio_net_hdr (packet(7), PACKET_VNET_HDR), so that a frame may be a
	// TCP segment of up to GSOMax bytes, which the host cuts to size, and the host may leave checksums out.
	VNetHeader bool
	GSOMax     uint32

	wire *wireEnd // of a gateway, instead of a socket
}

const (
	kindFrames  = "frames"
	kindGateway = "gateway"
)

// Limits of a link of frames.
const (
	frameBatch  = 16         // frames received in one call
	smallFrame  = 2048       // what most fit into
	largestGSO  = 65536      // the host's, unless it is told otherwise
	frameSlack  = 18         // an Ethernet header with a VLAN tag
	maxSegments = frameBatch // messages sent in one call
)

// AddLink makes an interface, which is up and has no addresses. An index of 0 is the next free one. EEXIST when the name or the index is taken.
func (s *Stack) AddLink(index int32, l Link) error {
	if !validName(l.Name) || l.MTU < MinMTU || l.MTU > MaxMTU || l.HWAddr.Group() || l.GSOMax > largestGSO || index < 0 {
		return linux.EINVAL
	}
	if _, ok := s.InterfaceByName(l.Name); ok {
		return linux.EEXIST
	}
	if at, was := s.had[l.Name]; was && !s.s.HasNIC(tcpip.NICID(at)) {
		index = at
	}
	if index == 0 {
		index = s.nextIndex()
	}
	if l.wire != nil {
		return s.addLink(index, l.Name, l.wire, linkEntry{kind: kindGateway, ether: &l.wire.ether})
	}
	f, err := newFrameLink(&l)
	if err != nil {
		return err
	}
	if s.loading.Load() {
		f.hold()
	}
	if err := s.addLink(index, l.Name, f, linkEntry{kind: kindFrames, ether: &f.ether, frames: f}); err != nil {
		f.Close()
		return err
	}
	if f.vnet {
		f.express.Store(newExpress(s, tcpip.NICID(index)))
	}
	s.watchable.CompareAndSwap(nil, f)
	s.AtEnd(f.dispose)
	return nil
}

func (s *Stack) nextIndex() int32 {
	last := int32(LoopbackIndex)
	for id := range s.s.NICInfo() {
		last = max(last, int32(id))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastIndex = max(last, s.lastIndex) + 1 // as in Linux, a number is not given twice
	return s.lastIndex
}

// A frameLink is a link on a host descriptor. One goroutine receives; senders send themselves.
//
//	made --Attach(d)--> receiving --Attach(nil), the socket's end--> ended
type frameLink struct {
	ether

	// immutable
	fd   int
	file *os.File        // lookout.own, which it never closes
	conn syscall.RawConn // of file
	vnet bool
	gso  uint32

	// atomic
	down    atomic.Bool // the interface is
	aside   atomic.Bool // the goroutine stands aside
	cut     atomic.Bool // what is sent is lost
	express atomic.Pointer[express]

	receiver sync.WaitGroup
	lookout  lookout

	// mu is held by who receives.
	mu lock.Mutex[lock.LinkReceiver]
	// guarded by mu
	in    *receiver
	ended bool // there will be no more frames
	still bool // they are to wait
}

func newFrameLink(l *Link) (*frameLink, error) {
	f := &frameLink{fd: l.FD, vnet: l.VNetHeader, gso: l.GSOMax, in: newReceiver(l.VNetHeader)}
	if f.lookout.init(l.FD) != nil {
		f.lookout.close()
		return nil, linux.EINVAL // nothing that can be waited for
	}
	// The runtime's poller waits for the goroutine: a thread that waited itself would have to be woken before it is.
	f.file = os.NewFile(uintptr(f.lookout.own), l.Name)
	conn, err := f.file.SyscallConn()
	if err != nil || f.file.SetReadDeadline(time.Time{}) != nil {
		f.lookout.close()
		return nil, linux.EINVAL
	}
	f.conn = conn
	if f.vnet {
		f.caps = stack.CapabilityRXChecksumOffload // receive checks what the host has not
	}
	f.init(l.MTU, l.HWAddr)
	return f, nil
}

// GSOMaxSize and SupportedGSO are stack.GSOEndpoint's.
func (f *frameLink) GSOMaxSize() uint32 { return wholeGSO(f.gso, f.mtu.Load()) }

func (f *frameLink) SupportedGSO() stack.SupportedGSO {
	if f.vnet && f.gso > gsoReserve {
		return stack.HostGSOSupported
	}
	return stack.GSONotSupported
}

// Attach begins to receive; nil ends it.
func (f *frameLink) Attach(d stack.NetworkDispatcher) {
	if d == nil {
		f.Close()
		return
	}
	if f.dispatcher.Swap(&d) == nil {
		f.receiver.Add(1)
		go func() {
			defer f.receiver.Done()
			f.receiveLoop()
		}()
	}
}

// Wait returns when nothing is received any more.
func (f *frameLink) Wait() { f.receiver.Wait() }

// Close ends the link. The descriptor stays open: a sender may be about to use it, and whatever got its number next
// would receive its frames. A guest makes no links of this kind, so these are few; Stack.Dispose closes it.
func (f *frameLink) Close() {
	f.dispatcher.Store(nil)
	f.stop()
}

// stop ends receiving. It comes before tcpip takes an interface away: that holds a lock meanwhile which the receiver may be
// waiting for.
func (f *frameLink) stop() {
	f.mu.Lock()
	f.endLocked()
	f.mu.Unlock()
	f.file.SetReadDeadline(time.Unix(1, 0)) // wakes the receiver
	f.receiver.Wait()
}

// WritePackets sends frames. What the host has no room for is lost, as on a wire.
func (f *frameLink) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	all := pkts.AsSlice()
	if f.dispatcher.Load() == nil {
		return 0, &tcpip.ErrInvalidEndpointState{}
	}
	if f.cut.Load() {
		return len(all), nil
	}
	if len(all) == 1 {
		return f.send(all)
	}
	sent := 0
	for sent < len(all) {
		n, err := f.send(all[sent:min(sent+maxSegments, len(all))])
		sent += n
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// A vnetHeader is struct virtio_net_hdr, little-endian as the host is.
type vnetHeader struct {
	flags, gsoType                         uint8
	hdrLen, gsoSize, csumStart, csumOffset uint16
}

// VNetHeaderSize is the size of a struct virtio_net_hdr without a number of buffers.
const VNetHeaderSize = 10

const (
	vnetNeedsCsum = 1 // VIRTIO_NET_HDR_F_NEEDS_CSUM
	vnetDataValid = 2 // VIRTIO_NET_HDR_F_DATA_VALID
	vnetTCPv4     = 1 // VIRTIO_NET_HDR_GSO_TCPV4
	vnetTCPv6     = 4 // VIRTIO_NET_HDR_GSO_TCPV6
	vnetUDP       = 5 // VIRTIO_NET_HDR_GSO_UDP_L4
	vnetECN       = 0x80
)

// headerOf says how the host has to finish a frame.
func headerOf(pkt *stack.PacketBuffer) (h vnetHeader) {
	o := &pkt.GSOOptions
	if o.Type == stack.GSONone {
		return h
	}
	h.hdrLen = uint16(pkt.HeaderSize())
	if o.NeedsCsum {
		h.flags = vnetNeedsCsum
		h.csumStart = uint16(len(pkt.LinkHeader().Slice())) + o.L3HdrLen
		h.csumOffset = o.CsumOffset
	}
	if pkt.Data().Size() > int(o.MSS) {
		h.gsoType, h.gsoSize = vnetTCPv4, o.MSS
		if o.Type == stack.GSOTCPv6 {
			h.gsoType = vnetTCPv6
		}
	}
	return h
}

func (h *vnetHeader) put(b *[VNetHeaderSize]byte) {
	*b = [VNetHeaderSize]byte{
		h.flags, h.gsoType, byte(h.hdrLen), byte(h.hdrLen >> 8), byte(h.gsoSize), byte(h.gsoSize >> 8),
		byte(h.csumStart), byte(h.csumStart >> 8), byte(h.csumOffset), byte(h.csumOffset >> 8),
	}
}

func (h *vnetHeader) get(b *[VNetHeaderSize]byte) {
	two := func(i int) uint16 { return uint16(b[i]) | uint16(b[i+1])<<8 }
	*h = vnetHeader{b[0], b[1], two(2), two(4), two(6), two(8)}
}

// A slot is where one frame is received: the header before it, what most fit into, and the rest of a large one.
type slot struct {
	vnet         [VNetHeaderSize]byte
	small, large *buffer.View
}

// take makes a buffer of the n bytes of a frame; the slot needs new views then.
func (s *slot) take(n int) buffer.Buffer {
	var b buffer.Buffer
	v := s.small
	s.small = nil
	v.CapLength(min(n, smallFrame))
	b.Append(v)
	if rest := n - smallFrame; rest > 0 {
		l := s.large
		s.large = nil
		l.CapLength(min(rest, l.Size()))
		b.Append(l)
	}
	return b
}

// prepare makes room for a frame of up to size bytes.
func (s *slot) prepare(size int, large *largeViews) {
	if s.small == nil {
		s.small = buffer.NewViewSize(smallFrame)
	}
	if s.large == nil && size > smallFrame {
		s.large = large.get(size - smallFrame)
	}
}

// receiveLoop receives until the link ends.
func (f *frameLink) receiveLoop() {
	for f.dispatcher.Load() != nil {
		tends := f.lookout.tends.Load()
		if f.conn.Read(func(uintptr) bool {
			_, ended := f.drain(math.MaxInt)
			return ended || f.lookout.tends.Load() != tends
		}) != nil {
			return
		}
		f.mu.Lock()
		ended := f.ended
		f.mu.Unlock()
		if ended {
			return
		}
		f.standAside()
	}
}

// standAside waits until nobody tends the link any more.
func (f *frameLink) standAside() {
	f.aside.Store(true)
	f.lookout.ignore(f.fd)
	for last := f.lookout.tends.Load(); ; {
		time.Sleep(tended)
		now := f.lookout.tends.Load()
		if now == last {
			break
		}
		last = now
	}
	f.mu.Lock()
	if !f.ended && !f.still {
		f.lookout.pass(f.fd)
	}
	f.mu.Unlock()
	f.aside.Store(false)
}

// drain takes the frames that there are, in so many batches, and hands them on. It returns how many they
// were, and whether there will be no more.
func (f *frameLink) drain(batches int) (count int, ended bool) {
	most, size := int(f.mtu.Load())+frameSlack, 0
	if f.vnet {
		most = largestGSO + frameSlack
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for !f.ended && !f.still && f.dispatcher.Load() != nil {
		if batches--; batches < 0 {
			f.lookout.pass(f.fd)
			return count, false
		}
		n, errno := f.in.receive(f.fd, most)
		switch {
		case errno == unix.EAGAIN:
			return count, false
		case errno == unix.EINTR || errno == unix.ENETDOWN || errno == unix.ENOBUFS:
			// An interface of the host's that goes down says so once, and may come back.
		case errno != 0 || n == 0: // nothing: the other side has closed
			f.endLocked()
		default:
			for i := range n {
				size += f.in.length(i)
			}
			f.deliverAll(f.in, n)
			count += n
			f.lookout.bulk.Store(size > bulk)
			if n < frameBatch {
				return count, false // what comes now wakes somebody again
			}
		}
	}
	return count, f.ended
}

func (f *frameLink) endLocked() {
	f.ended = true
	f.lookout.deaf(f.fd)
}

// hold has frames wait in the socket; goOn has them come again.
func (f *frameLink) hold() {
	f.mu.Lock()
	f.still = true
	f.lookout.deaf(f.fd) // last, since who receives may pass on to the goroutine
	f.mu.Unlock()
}

func (f *frameLink) goOn() {
	f.mu.Lock()
	f.still = false
	if !f.ended {
		_ = f.lookout.listen(f.fd) // as before
	}
	f.mu.Unlock()
}

// deliverAll hands on what one call has received.
func (f *frameLink) deliverAll(r *receiver, n int) {
	x := f.express.Load()
	if x == nil || !x.open() || f.down.Load() || f.upper.Load() != nil {
		x = nil
	}
	for i := range n {
		f.deliver(r.slot(i), r.length(i), x)
	}
	if x != nil {
		x.flush()
	}
}

// ship sends a frame of n bytes by express, if it may.
func (f *frameLink) ship(x *express, s *slot, n int) bool {
	var seg segment
	b := s.small.AsSlice()[:min(n, smallFrame)]
	if len(b) < header.EthernetMinimumSize || header.Ethernet(b).DestinationAddress() != f.LinkAddress() || !seg.parse(b, n) {
		return false
	}
	return x.take(&seg, func() buffer.Buffer { return s.take(n) })
}

// deliver hands one received frame on. What the host has neither made nor checked itself is checked here.
func (f *frameLink) deliver(s *slot, n int, x *express) {
	if f.vnet {
		n -= VNetHeaderSize
	}
	if n <= 0 || f.vnet && n > largestGSO+frameSlack {
		return
	}
	checked := f.vnet && s.vnet[0]&(vnetNeedsCsum|vnetDataValid) != 0
	if x != nil && checked && f.ship(x, s, n) {
		return
	}
	if x != nil {
		x.flush() // what comes later stays behind
	}
	var h vnetHeader
	if h.get(&s.vnet); f.vnet && f.undone(&h, s.small.AsSlice()[:min(n, smallFrame)]) {
		b := s.take(n)
		for _, frame := range h.finish(b.Flatten()) {
			f.receive(buffer.MakeWithData(frame))
		}
		b.Release()
		return
	}
	if f.vnet && !checked {
		b := s.take(n)
		if checksumWrong(&b) {
			b.Release()
			return
		}
		f.receive(b)
		return
	}
	f.receive(s.take(n))
}

// A link of frames is an outside thing: a saved stack holds nothing of it, and what a loaded one still points to leads
// nowhere.

func (*frameLink) StateTypeName() string { return "cordon/netstack.frameLink" }
func (*frameLink) StateFields() []string { return nil }
func (*frameLink) StateSave(state.Sink)  {}
func (f *frameLink) StateLoad(context.Context, state.Source) {
	f.fd = -1
	f.init(MinMTU6, HWAddr{})
}
