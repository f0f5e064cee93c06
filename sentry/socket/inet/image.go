package inet

import (
	"errors"
	"net/netip"

	"cordon/checkpoint"
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
}

func saveSocket(s *checkpoint.Saver, k *Socket) Image {
	im := Image{
		Base: k.Base.Image(s, k), Cur: k.Namespace().EndpointNumber(k.ep()), ReadShut: k.readShut.Load(), WriteShut: k.writeShut.Load(),
		Told: k.told.Load(), ICMPFilter: k.icmpFilter.Load(), Backlog: k.backlog.Load(), RecvErr: k.recvErr.Load(), FastOpen: k.fastOpen.Load(), FastConnect: k.fastConnect.Load(),
	}
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
