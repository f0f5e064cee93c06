package packet

import (
	"encoding/binary"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/netstack"
	"cordon/platform/memfile"
	"cordon/sentry/bpf"
	"cordon/sentry/memmap"
	"cordon/sentry/socket"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// Memory is where rings live: the memory file.
type Memory interface {
	memmap.Backing
	// Alloc returns n bytes, a page multiple, that read as zeros.
	Alloc(n uint64) (memmap.Range, linux.Errno)
}

// MemoryFile makes a Memory of the sandbox's memory file.
type MemoryFile struct{ memmap.Memory }

// Alloc implements Memory.
func (m MemoryFile) Alloc(n uint64) (memmap.Range, linux.Errno) {
	if !m.File.HasRoom(n) {
		return memmap.Range{}, linux.ENOMEM
	}
	r, _, err := m.File.Alloc(n, memfile.Options{Kind: memfile.Shared})
	if err != 0 {
		return memmap.Range{}, err
	}
	// As in Linux, a ring has its pages from the beginning: frames come when nobody
	// can be refused one.
	zeros := make([]byte, min(n, 64<<10))
	for at := r.Start; at < r.End; at += uint64(len(zeros)) {
		if m.File.Fill(zeros[:min(uint64(len(zeros)), r.End-at)], at) != 0 {
			m.File.DecRef(r)
			return memmap.Range{}, linux.ENOMEM
		}
	}
	m.File.Filled(r)
	return memmap.Range(r), 0
}

// A Provider makes packet sockets.
type Provider struct {
	// immutable
	memory Memory
}

var _ socket.Provider = Provider{}

// NewProvider returns a provider whose sockets have their rings in m.
func NewProvider(m Memory) Provider { return Provider{m} }

// Families implements socket.Provider.
func (Provider) Families() []linux.AddressFamily { return []linux.AddressFamily{linux.AF_PACKET} }

// NewSocket implements socket.Provider.
func (p Provider) NewSocket(c *vfs.Caller, ns *socket.Namespace, _ linux.AddressFamily, typ linux.SockType, protocol int32) (socket.Socket, error) {
	if ns.Stack == nil {
		return nil, linux.EAFNOSUPPORT
	}
	if !ns.Capable(c, linux.CAP_NET_RAW) {
		return nil, linux.EPERM
	}
	if typ != linux.SOCK_RAW && typ != linux.SOCK_DGRAM {
		return nil, linux.ESOCKTNOSUPPORT
	}
	s := &Socket{memory: p.memory, proto: swap(uint16(protocol))}
	s.Init(ns, socket.Info{Family: linux.AF_PACKET, Type: typ, Protocol: protocol}, s)
	s.room.Store(2 * socket.DefaultBuffer)
	if err := s.retap(); err != nil {
		return nil, err
	}
	ns.Add(s)
	return s, nil
}

// swap turns a protocol between the order of the network and the host's.
func swap(v uint16) uint16 { return v<<8 | v>>8 }

// A Socket is a packet socket.
type Socket struct {
	socket.Base

	// immutable
	memory Memory

	// atomic
	room      atomic.Int64 // bytes that may wait
	auxdata   atomic.Bool
	ignoreOut atomic.Bool

	mu lock.Mutex[lock.Socket]
	// guarded by mu
	index   int32
	proto   uint16 // 0: nothing is received
	tap     *netstack.Tap
	version int32
	reserve uint32
	bypass  bool // PACKET_QDISC_BYPASS: there are no queues
	origDev bool
	stamp   int32 // PACKET_TIMESTAMP
	members []member

	in lock.Mutex[lock.PacketQueue]
	// guarded by in
	queue       []frame
	bytes       int64
	seen, drops uint32 // PACKET_STATISTICS
	freezes     uint32
	ring        *ring
	err         linux.Errno
	closed      bool
}

// A member is a row of PACKET_ADD_MEMBERSHIP.
type member struct {
	Index int32
	Kind  uint16
	Addr  []byte
	Count int
}

// A frame that waits to be read. data is what the filter left of size bytes; it begins with the link header if the socket is
// raw.
type frame struct {
	data   []byte
	size   int
	net    int // where the network header begins in data
	index  int32
	proto  uint16
	typ    uint8
	hwType uint16
	source [6]byte
	timeNS int64
}

// frameCost is what a frame takes of the receive buffer beside its bytes.
const frameCost = 256

var (
	_ socket.Listed        = (*Socket)(nil)
	_ socket.Hooks         = (*Socket)(nil)
	_ socket.Filtering     = (*Socket)(nil)
	_ vfs.CallerReader     = (*Socket)(nil)
	_ vfs.CallerWriter     = (*Socket)(nil)
	_ vfs.Ioctler          = (*Socket)(nil)
	_ vfs.Mapper           = (*Socket)(nil)
	_ vfs.DescriptionAware = (*Socket)(nil)
)

const (
	readable = wait.In | wait.RdNorm
	writable = wait.Out | wait.WrNorm
)

func (s *Socket) raw() bool { return s.Info().Type == linux.SOCK_RAW }

// retap makes the tap anew after index or proto have changed. The caller holds mu, or is the only one.
func (s *Socket) retap() error {
	if s.tap != nil {
		s.tap.Close()
		s.tap = nil
	}
	if s.proto == 0 {
		return nil
	}
	t, err := s.Namespace().Stack.Tap(s.index, s.proto, s.deliver)
	if err != nil {
		return err
	}
	s.tap = t
	return nil
}

// Release implements vfs.File.
func (s *Socket) Release() {
	s.mu.Lock()
	if s.tap != nil {
		s.tap.Close()
		s.tap = nil
	}
	s.mu.Unlock()
	s.in.Lock()
	s.closed = true
	s.queue, s.bytes = nil, 0
	r := s.ring
	s.ring = nil
	s.in.Unlock()
	if r != nil {
		r.free()
	}
	s.Namespace().Remove(s)
}

// deliver takes a frame from the stack.
func (s *Socket) deliver(f *netstack.Frame) {
	if f.Type == linux.PACKET_OUTGOING && s.ignoreOut.Load() {
		return
	}
	out := frame{
		data: f.Bytes, size: len(f.Bytes), net: f.Header, index: f.Index, proto: f.Protocol, typ: f.Type,
		hwType: f.Hardware, timeNS: f.TimeNS,
	}
	if f.Header > 0 {
		copy(out.source[:], f.Bytes[6:12])
	}
	if !s.raw() {
		out.data, out.size, out.net = f.Bytes[f.Header:], out.size-f.Header, 0
	}
	want := s.Passes(&bpf.Packet{
		Bytes: out.data, Network: out.net, Protocol: out.proto, Type: out.typ, Device: uint32(out.index), Hardware: out.hwType,
	})
	if want == 0 {
		return
	}
	out.data = out.data[:want]
	s.in.Lock()
	defer s.in.Unlock()
	if s.closed {
		return
	}
	if s.ring != nil {
		if s.ring.put(&out) {
			s.seen++
			s.Queue().Notify(readable)
		} else {
			s.drops++
		}
		return
	}
	cost := int64(len(out.data) + frameCost)
	if s.bytes+cost > s.room.Load() {
		s.drops++
		return
	}
	s.seen++
	s.queue = append(s.queue, out)
	s.bytes += cost
	s.Queue().Notify(readable)
}

// Readiness implements vfs.Poller.
func (s *Socket) Readiness(mask wait.Events) wait.Events {
	s.in.Lock()
	defer s.in.Unlock()
	ev := writable | wait.WrBand
	if len(s.queue) > 0 || s.ring != nil && s.ring.ready() {
		ev |= readable
	}
	if s.err != 0 {
		ev |= wait.Err
	}
	return ev & (mask | wait.Always)
}

// parse reads a struct sockaddr_ll.
func parse(a socket.Address) (l linux.SockaddrLl, err error) {
	if len(a) < linux.SizeSockaddrLl {
		return l, linux.EINVAL
	}
	l.Family = linux.AddressFamily(binary.LittleEndian.Uint16(a))
	copy(l.Protocol[:], a[2:])
	l.Ifindex = int32(binary.LittleEndian.Uint32(a[4:]))
	l.Hatype, l.Pkttype, l.Halen = binary.LittleEndian.Uint16(a[8:]), a[10], a[11]
	copy(l.Addr[:], a[12:])
	return l, nil
}

func format(index int32, proto, hwType uint16, typ uint8, addr []byte) socket.Address {
	a := make(socket.Address, linux.SizeSockaddrLl)
	binary.LittleEndian.PutUint16(a, uint16(linux.AF_PACKET))
	binary.BigEndian.PutUint16(a[2:], proto)
	binary.LittleEndian.PutUint32(a[4:], uint32(index))
	binary.LittleEndian.PutUint16(a[8:], hwType)
	a[10], a[11] = typ, uint8(len(addr))
	copy(a[12:], addr)
	return a
}

// Bind implements socket.Namer.
func (s *Socket) Bind(_ *vfs.Caller, a socket.Address) error {
	l, err := parse(a)
	if err != nil {
		return err
	}
	if l.Family != linux.AF_PACKET {
		return linux.EINVAL
	}
	down := false
	if l.Ifindex != 0 {
		i, ok := s.Namespace().Stack.Interface(l.Ifindex)
		if !ok {
			return linux.ENODEV
		}
		down = !i.Up
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index = l.Ifindex
	if p := binary.BigEndian.Uint16(l.Protocol[:]); p != 0 {
		s.proto = p
	}
	if err := s.retap(); err != nil {
		return err
	}
	if down {
		s.fail(linux.ENETDOWN) // as in Linux: bound, and told when something is tried
	}
	return nil
}

func (s *Socket) fail(e linux.Errno) {
	s.in.Lock()
	s.err = e
	s.in.Unlock()
	s.Queue().Notify(wait.Err)
}

// LocalName implements socket.Namer.
func (s *Socket) LocalName() (socket.Address, error) {
	s.mu.Lock()
	index, proto := s.index, s.proto
	s.mu.Unlock()
	i, ok := s.Namespace().Stack.Interface(index)
	if !ok {
		return format(index, proto, 0, 0, nil)[:12], nil
	}
	return format(index, proto, socket.HardwareType(&i), 0, i.HWAddr[:])[:18], nil
}

// Bound is what /proc/net/packet and packet_diag list.
func (s *Socket) Bound() (index int32, proto uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.index, s.proto
}

// Queued returns how many bytes wait to be read.
func (s *Socket) Queued() int {
	s.in.Lock()
	defer s.in.Unlock()
	return int(s.bytes)
}

// What connections need is not there.
func (s *Socket) PeerName() (socket.Address, error)         { return nil, linux.EOPNOTSUPP }
func (s *Socket) Connect(*vfs.Caller, socket.Address) error { return linux.EOPNOTSUPP }
func (s *Socket) ConnectResult() error                      { return nil }
func (s *Socket) Listen(*vfs.Caller, int) error             { return linux.EOPNOTSUPP }
func (s *Socket) Accept(*vfs.Caller) (socket.Socket, socket.Address, error) {
	return nil, nil, linux.EOPNOTSUPP
}
func (s *Socket) Shutdown(linux.ShutdownHow) error  { return linux.EOPNOTSUPP }
func (s *Socket) Listening() bool                   { return false }
func (s *Socket) FilterAttached(*bpf.Program) error { return nil }

// ReadAs and WriteAs implement vfs.CallerReader and vfs.CallerWriter.
func (s *Socket) ReadAs(c *vfs.Caller, dst *usermem.Seq) (int, error) {
	return s.Receive(c, &socket.Incoming{Data: dst})
}

func (s *Socket) WriteAs(c *vfs.Caller, src *usermem.Seq) (int, error) {
	return s.Send(c, &socket.Outgoing{Data: src})
}
