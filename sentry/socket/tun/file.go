package tun

import (
	"encoding/binary"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/netstack"
	"cordon/sentry/socket"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// The device's number.
const (
	major = 10
	minor = linux.MISC_NET_TUN_MINOR
)

// Register makes the device openable; network is the network namespace of a caller, nil where it has no stack of its own.
func Register(v *vfs.VFS, network func(c *vfs.Caller) *socket.Namespace) {
	v.RegisterMajor(linux.S_IFCHR, major, "misc", nil)
	v.RegisterDevice(linux.S_IFCHR, major, minor, func(c *vfs.Caller, _ vfs.Path, _ linux.OpenFlags) (vfs.File, error) {
		n := network(c)
		if n == nil || n.Stack == nil {
			return nil, linux.ENODEV
		}
		n.IncRef()
		return &File{ns: n}, nil
	})
}

// A File is an open /dev/net/tun.
type File struct {
	// immutable
	ns *socket.Namespace // a reference

	queue wait.Queue

	mu lock.Mutex[lock.File]
	// guarded by mu
	tun *netstack.Tun // nil before TUNSETIFF
}

var (
	_ vfs.Reader  = (*File)(nil)
	_ vfs.Writer  = (*File)(nil)
	_ vfs.Poller  = (*File)(nil)
	_ vfs.Ioctler = (*File)(nil)
)

// maxPacket is the longest packet that is written: what a segment of TCP can be before it is cut, with its headers.
const maxPacket = 1<<16 + 64

// of is the interface, nil when there is none, or none any more.
func (f *File) of() *netstack.Tun {
	f.mu.Lock()
	t := f.tun
	f.mu.Unlock()
	if t == nil {
		return nil
	}
	if s, _ := t.Where(); s == nil {
		return nil
	}
	return t
}

func (f *File) changed() {
	f.queue.Notify(wait.In | wait.RdNorm | wait.Out | wait.WrNorm | wait.Err)
}

// Release implements vfs.File.
func (f *File) Release() {
	if t := f.of(); t != nil {
		t.Detach()
		if s, index := t.Where(); s != nil && !t.Conf().Persistent {
			remove(s, index)
		} else if s != nil {
			linkChanged(s, index)
		}
	}
	f.ns.DecRef()
}

// remove takes an interface away; it may be in another namespace by now.
func remove(s *netstack.Stack, index int32) {
	i, ok := s.Interface(index)
	if n, of := s.Owner().(*socket.Namespace); ok && of {
		_ = n.RemoveLink(i) // somebody else has, else
	}
}

// linkChanged tells of an interface whose carrier came or went.
func linkChanged(s *netstack.Stack, index int32) {
	if n, ok := s.Owner().(*socket.Namespace); ok {
		n.LinkChanged(index)
	}
}

// Queue implements vfs.Poller.
func (f *File) Queue() *wait.Queue { return &f.queue }

// Readiness implements vfs.Poller.
func (f *File) Readiness(mask wait.Events) wait.Events {
	t := f.of()
	if t == nil {
		return wait.Err
	}
	var ev wait.Events
	if t.Queued() > 0 {
		ev |= wait.In | wait.RdNorm
	}
	if t.Up() {
		ev |= wait.Out | wait.WrNorm
	}
	return ev & (mask | wait.Always)
}

// Read implements vfs.Reader: one packet, of which the rest is lost that has no room.
func (f *File) Read(dst *usermem.Seq) (int, error) {
	t := f.of()
	if t == nil {
		return 0, linux.EBADFD
	}
	c := t.Conf()
	var head []byte
	if c.Flags&linux.IFF_NO_PI == 0 {
		head = make([]byte, linux.SizeTunPI)
	}
	if c.Flags&linux.IFF_VNET_HDR != 0 {
		head = append(head, make([]byte, c.HeaderSize)...)
	}
	if dst.Len() < uint64(len(head)) {
		return 0, linux.EINVAL
	}
	p := t.Take()
	if p == nil {
		return 0, linux.EAGAIN
	}
	if c.Flags&linux.IFF_NO_PI == 0 {
		if uint64(len(head)+len(p)) > dst.Len() {
			binary.LittleEndian.PutUint16(head, linux.TUN_PKT_STRIP)
		}
		binary.BigEndian.PutUint16(head[2:], protocolOf(p, t.Bare()))
	}
	n, err := dst.CopyOut(head)
	if err != nil {
		return 0, err
	}
	m, err := dst.CopyOut(p)
	if err != nil {
		return 0, err
	}
	return n + m, nil
}

// protocolOf is the protocol of a packet, 0 where it cannot be told.
func protocolOf(p []byte, bare bool) uint16 {
	switch {
	case !bare && len(p) >= netstack.LinkHeaderSize:
		return binary.BigEndian.Uint16(p[12:])
	case bare && len(p) > 0 && p[0]>>4 == 4:
		return uint16(linux.ETH_P_IP)
	case bare && len(p) > 0 && p[0]>>4 == 6:
		return uint16(linux.ETH_P_IPV6)
	}
	return 0
}

// Write implements vfs.Writer: one packet.
func (f *File) Write(src *usermem.Seq) (int, error) {
	t := f.of()
	if t == nil {
		return 0, linux.EBADFD
	}
	if src.Len() > maxPacket {
		return 0, linux.ENOBUFS
	}
	p := make([]byte, src.Len())
	if _, err := src.CopyIn(p); err != nil {
		return 0, err
	}
	all, c, other := len(p), t.Conf(), false
	if c.Flags&linux.IFF_NO_PI == 0 {
		if len(p) < linux.SizeTunPI {
			return 0, linux.EINVAL
		}
		proto := binary.BigEndian.Uint16(p[2:])
		other = t.Bare() && proto != uint16(linux.ETH_P_IP) && proto != uint16(linux.ETH_P_IPV6)
		p = p[linux.SizeTunPI:]
	}
	var vnet *[netstack.VNetHeaderSize]byte
	if c.Flags&linux.IFF_VNET_HDR != 0 {
		if len(p) < int(c.HeaderSize) {
			return 0, linux.EINVAL
		}
		vnet = (*[netstack.VNetHeaderSize]byte)(p)
		p = p[c.HeaderSize:]
	}
	if other && t.Up() {
		return all, nil // taken, and nobody's
	}
	if err := t.Put(p, vnet); err != nil {
		return 0, err
	}
	return all, nil
}

// FDInfo is what /proc/pid/fdinfo shows beside the usual.
func (f *File) FDInfo() string {
	if t := f.of(); t != nil {
		if s, index := t.Where(); s != nil {
			if i, ok := s.Interface(index); ok {
				return "iff:\t" + i.Name + "\n"
			}
		}
	}
	return ""
}
