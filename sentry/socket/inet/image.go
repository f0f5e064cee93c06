package inet

import (
	"errors"
	"net/netip"

	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
)

var errImage = errors.New("inet sockets that cannot be")

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{checkpoint.Object("inet.Socket", saveSocket, loadSocket)}
}

// Image is a Socket in a checkpoint. Cur numbers the endpoint in its namespace's stack.
type Image struct {
	Base        socket.BaseImage
	Cur         int
	ReadShut    bool
	WriteShut   bool
	Told        bool
	ICMPFilter  uint32
	Backlog     int32
	RecvErr     uint32
	FastOpen    int32
	FastConnect bool
	Dest        []byte // an IP address
	DestPort    uint16
	DestIndex   int32
	Bound       []byte // likewise
	BoundPort   uint16
	BoundIndex  int32
	IsBound     bool
	Errors      []ErrorImage // of the error queue
	Err         int32
}

// An ErrorImage is a netstack.ICMPError in a checkpoint.
type ErrorImage struct {
	Family, Type, Code    uint8
	Info                  uint32
	Offender              []byte // an IP address
	TTL, TOS              uint8
	TimeNS                int64
	Index                 int32
	Protocol              uint8
	Local, Remote         []byte // IP addresses
	LocalPort, RemotePort uint16
	Packet                []byte
}

// saveErrors saves what the stack has told of too, as far as it is the socket's.
func saveErrors(k *Socket, im *Image) {
	k.sortErrors()
	q := &k.errors
	q.mu.Lock()
	defer q.mu.Unlock()
	im.Err = int32(q.err)
	for _, e := range q.ready {
		im.Errors = append(im.Errors, ErrorImage{
			Family: uint8(e.Family), Type: e.Type, Code: e.Code, Info: e.Info, Offender: e.Offender.AsSlice(), TTL: e.TTL, TOS: e.TOS, TimeNS: e.TimeNS,
			Index: e.Index, Protocol: e.Protocol, Local: e.Local.IP.AsSlice(), Remote: e.Remote.IP.AsSlice(), LocalPort: e.Local.Port,
			RemotePort: e.Remote.Port, Packet: e.Packet,
		})
	}
}

func loadErrors(k *Socket, im *Image) {
	if len(im.Errors) > maxErrors {
		im.Errors = im.Errors[:maxErrors]
	}
	addr := func(b []byte) netip.Addr {
		a, _ := netip.AddrFromSlice(b)
		return a
	}
	k.errors.err = linux.Errno(im.Err)
	for _, e := range im.Errors {
		k.errors.ready = append(k.errors.ready, &netstack.ICMPError{
			Family: netstack.Family(e.Family), Type: e.Type, Code: e.Code, Info: e.Info, Offender: addr(e.Offender), TTL: e.TTL, TOS: e.TOS, TimeNS: e.TimeNS,
			Index: e.Index, Protocol: e.Protocol, Local: netstack.Addr{IP: addr(e.Local), Port: e.LocalPort},
			Remote: netstack.Addr{IP: addr(e.Remote), Port: e.RemotePort}, Packet: e.Packet,
		})
	}
}

func saveSocket(s *checkpoint.Saver, k *Socket) Image {
	im := Image{
		Base: k.Base.Image(s, k), Cur: k.Namespace().EndpointNumber(k.ep()), ReadShut: k.readShut.Load(), WriteShut: k.writeShut.Load(),
		Told: k.told.Load(), ICMPFilter: k.icmpFilter.Load(), Backlog: k.backlog.Load(), RecvErr: k.recvErr.Load(), FastOpen: k.fastOpen.Load(), FastConnect: k.fastConnect.Load(),
	}
	saveErrors(k, &im)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.dest.IP.IsValid() {
		im.Dest, im.DestPort, im.DestIndex = k.dest.IP.AsSlice(), k.dest.Port, k.dest.Index
	}
	im.IsBound = k.isBound
	if k.bound.IP.IsValid() {
		im.Bound, im.BoundPort, im.BoundIndex = k.bound.IP.AsSlice(), k.bound.Port, k.bound.Index
	}
	return im
}

func loadSocket(l *checkpoint.Loader, k *Socket, im Image) error {
	if err := k.Base.Restore(l, k, k, &im.Base); err != nil {
		return err
	}
	k.readShut.Store(im.ReadShut)
	k.writeShut.Store(im.WriteShut)
	k.told.Store(im.Told)
	k.icmpFilter.Store(im.ICMPFilter)
	k.backlog.Store(im.Backlog)
	k.recvErr.Store(im.RecvErr & (recvErr4 | recvErr6))
	k.fastOpen.Store(im.FastOpen)
	k.fastConnect.Store(im.FastConnect)
	if ip, ok := netip.AddrFromSlice(im.Dest); ok {
		k.dest = netstack.Addr{IP: ip, Port: im.DestPort, Index: im.DestIndex}
	}
	if ip, ok := netip.AddrFromSlice(im.Bound); ok {
		k.bound = netstack.Addr{IP: ip, Port: im.BoundPort, Index: im.BoundIndex}
	}
	k.isBound = im.IsBound
	loadErrors(k, &im)
	l.AfterLoad(func() error {
		ep := k.Namespace().LoadedEndpoint(im.Cur)
		if ep == nil {
			return errImage
		}
		k.cur.Store(ep)
		ep.Attach(k.notify)
		if k.recvErr.Load() != 0 {
			k.mu.Lock()
			defer k.mu.Unlock()
			return k.watchLocked(true)
		}
		return nil
	})
	return nil
}
