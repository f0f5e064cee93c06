package netstack

import (
	"unsafe"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// mmsghdr is struct mmsghdr.
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

// Pieces of a frame that are sent from where they are; a frame in more is sent as one copy.
const maxPieces = 24

// outgoing is what a call to sendmmsg takes.
type outgoing struct {
	vnet [maxSegments][VNetHeaderSize]byte
	msgs [maxSegments]mmsghdr
	iov  [maxSegments * maxPieces]unix.Iovec
}

// send sends up to maxSegments frames in one call.
func (f *frameLink) send(pkts []*stack.PacketBuffer) (int, tcpip.Error) {
	if len(pkts) == 1 {
		return f.sendOne(pkts[0])
	}
	var o outgoing
	used := 0
	for i, pkt := range pkts {
		first := used
		if f.vnet {
			h := headerOf(pkt)
			h.put(&o.vnet[i])
			o.iov[used] = iovec(o.vnet[i][:])
			used++
		}
		used += pieces(pkt, o.iov[used:first+maxPieces])
		o.msgs[i].hdr.Iov = &o.iov[first]
		o.msgs[i].hdr.Iovlen = uint64(used - first)
	}
	for sent := 0; sent < len(pkts); {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(f.fd), uintptr(unsafe.Pointer(&o.msgs[sent])),
			uintptr(len(pkts)-sent), unix.MSG_DONTWAIT, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return sent, sendError(errno)
		}
		sent += int(n)
	}
	return len(pkts), nil
}

func (f *frameLink) sendOne(pkt *stack.PacketBuffer) (int, tcpip.Error) {
	var vnet [VNetHeaderSize]byte
	var iov [maxPieces]unix.Iovec
	n := 0
	if f.vnet {
		h := headerOf(pkt)
		h.put(&vnet)
		iov[0] = iovec(vnet[:])
		n = 1
	}
	n += pieces(pkt, iov[n:])
	msg := unix.Msghdr{Iov: &iov[0], Iovlen: uint64(n)}
	for {
		_, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(f.fd), uintptr(unsafe.Pointer(&msg)), unix.MSG_DONTWAIT)
		switch errno {
		case 0:
			return 1, nil
		case unix.EINTR:
			continue
		}
		return 0, sendError(errno)
	}
}

// sendError: a frame that is lost is the upper layers' to send again.
func sendError(errno unix.Errno) tcpip.Error {
	switch errno {
	case unix.EAGAIN, unix.ENOBUFS:
		return &tcpip.ErrNoBufferSpace{}
	case unix.EMSGSIZE:
		return &tcpip.ErrMessageTooLong{}
	}
	return &tcpip.ErrAborted{}
}

func iovec(b []byte) unix.Iovec { return unix.Iovec{Base: unsafe.SliceData(b), Len: uint64(len(b))} }

// pieces lists where a frame's bytes are and returns how many pieces there are.
func pieces(pkt *stack.PacketBuffer, out []unix.Iovec) int {
	views, offset := pkt.AsViewList()
	n := 0
	for v := views.Front(); v != nil; v = v.Next() {
		b := v.AsSlice()
		if offset >= len(b) {
			offset -= len(b)
			continue
		}
		if n == len(out) {
			buf := pkt.ToBuffer()
			flat := buf.Flatten()
			buf.Release()
			out[0] = iovec(flat)
			return 1
		}
		out[n] = iovec(b[offset:])
		offset = 0
		n++
	}
	return n
}

// A receiver is what calls to recvmmsg take.
type receiver struct {
	vnet  bool
	slots [frameBatch]slot
	iov   [frameBatch][3]unix.Iovec
	msgs  [frameBatch]mmsghdr
	large largeViews
}

func newReceiver(vnet bool) *receiver { return &receiver{vnet: vnet} }

func (r *receiver) slot(i int) *slot { return &r.slots[i] }
func (r *receiver) length(i int) int { return int(r.msgs[i].len) }

// receive takes what frames there are, of up to size bytes each. 0 without an error: there will be no more.
func (r *receiver) receive(fd, size int) (int, unix.Errno) {
	for i := range r.slots {
		s := &r.slots[i]
		if s.small != nil && (s.large != nil || size <= smallFrame) {
			continue // not used by the last call
		}
		s.prepare(size, &r.large)
		iov := r.iov[i][:0]
		if r.vnet {
			iov = append(iov, iovec(s.vnet[:]))
		}
		iov = append(iov, iovec(s.small.AsSlice()))
		if s.large != nil {
			iov = append(iov, iovec(s.large.AsSlice()))
		}
		r.msgs[i].hdr.Iov, r.msgs[i].hdr.Iovlen = &iov[0], uint64(len(iov))
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&r.msgs[0])), frameBatch, unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	if n == 1 && r.msgs[0].len == 0 {
		return 0, 0
	}
	return int(n), 0
}
