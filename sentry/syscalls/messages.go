package syscalls

import (
	"math"
	"sync"

	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/socket"
	"cordon/sentry/task"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

// An exchange is one message on its way through a socket, attempt by attempt.
// Exchanges are used again: what is passed to a socket cannot be on the stack.
type exchange struct {
	by    *vfs.Caller // nil where nobody asks
	s     socket.Socket
	sends bool
	out   socket.Outgoing // one of the two
	in    socket.Incoming
	done  int
	// all: it is over when everything has gone, or come.
	all, began bool

	// What an attempt has of its own: of sending, when there is control data, and
	// of receiving, when something has come before.
	tryOut socket.Outgoing
	tryIn  socket.Incoming
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

func newExchange() *exchange { return exchanges.Get().(*exchange) }

func (x *exchange) put() {
	*x = exchange{}
	exchanges.Put(x)
}

// run makes attempts until one says something other than EAGAIN.
func (x *exchange) run(t *task.Task, s socket.Socket, i socket.Info, d *vfs.Description, nonblock bool) error {
	if x.s = s; socket.LooksAtCaller(i) {
		x.by = t.Caller()
	}
	defer x.weigh(t, i)
	n, err := x.try()
	if err != linux.EAGAIN || n > 0 || nonblock {
		return err
	}
	timeout, sendTimeout := s.Timeouts()
	if x.sends {
		timeout = sendTimeout
	}
	_, err = socketIO(t, d, x.sends, false, patienceOf(t, timeout), x.try)
	return err
}

// bulk is how much a call moves at the least for its hand-over to be small beside it.
const bulk = 32 << 10

// weigh tells the platform of a call that has moved much over a network. It may have been the loopback, where it is no loss.
func (x *exchange) weigh(t *task.Task, i socket.Info) {
	if x.done >= bulk && (i.Family == linux.AF_INET || i.Family == linux.AF_INET6) {
		t.Bulk(x.sends)
	}
}

func (x *exchange) try() (int, error) {
	if x.sends {
		return x.trySend()
	}
	return x.tryReceive()
}

func (x *exchange) trySend() (int, error) {
	try := &x.out
	if x.out.Control != nil {
		try = &x.tryOut
		*try = x.out
		try.Control = controlFor(x.out.Control, x.done == 0)
	}
	n, err := x.s.Send(x.by, try)
	x.done += max(n, 0)
	if err == nil && x.all && n > 0 && x.out.Data.Len() > 0 {
		err = linux.EAGAIN
	}
	if err == linux.EAGAIN {
		return 0, err
	}
	return x.done, err
}

func (x *exchange) tryReceive() (int, error) {
	in, more := &x.in, &x.in
	if x.began {
		more = &x.tryIn
		*more = socket.Incoming{Flags: in.Flags, Data: in.Data, NoFrom: true}
	}
	n, err := x.s.Receive(x.by, more)
	if err != nil {
		more.Control.Release()
		if x.began && err != linux.EAGAIN {
			return x.done, nil
		}
		return 0, err
	}
	x.done += n
	if x.began {
		in.OutFlags |= more.OutFlags
		in.Control.Rights = append(in.Control.Rights, more.Control.Rights...)
	}
	x.began = true
	if x.all && n > 0 && in.Data.Len() > 0 && len(in.Control.Rights) == 0 {
		return 0, linux.EAGAIN
	}
	return x.done, nil
}

// send is every way to send one message, out. It keeps the references in its
// Control.
func (x *exchange) send(t *task.Task, s socket.Socket, d *vfs.Description) (uintptr, error) {
	x.sends = true
	i := s.Info()
	nonblock := d.Nonblocking() || x.out.Flags&linux.MSG_DONTWAIT != 0
	x.all = i.Type == linux.SOCK_STREAM && !nonblock
	if x.done = int(t.Begun()); x.done > 0 {
		x.out.Data.Skip(uint64(x.done))
	}
	err := x.run(t, s, i, d, nonblock)
	if x.done > 0 && interrupted(err) {
		return t.CutShort(uint64(x.done))
	}
	if x.done > 0 {
		return uintptr(x.done), nil
	}
	if err == linux.EPIPE && socket.RaisesSIGPIPE(i, x.out.Flags) {
		t.Send(userInfo(t, linux.SIGPIPE, linux.SI_USER))
	}
	return 0, err
}

// interrupted reports whether a call that waits ended by being woken.
func interrupted(err error) bool { return err == task.RestartSys || err == task.RestartNoStop }

// controlFor returns what goes with one attempt to send, which owns it:
// descriptors go with the first bytes only, credentials with all.
func controlFor(c *socket.Control, first bool) *socket.Control {
	if c == nil {
		return nil
	}
	own := *c
	own.Rights = nil
	if first {
		own.Rights = append(own.Rights, c.Rights...)
		for _, d := range own.Rights {
			d.IncRef()
		}
	}
	return &own
}

// receive is every way to receive one message, into in. The caller owns its
// Control.
func (x *exchange) receive(t *task.Task, s socket.Socket, d *vfs.Description) (uintptr, error) {
	i := s.Info()
	nonblock := d.Nonblocking() || x.in.Flags&(linux.MSG_DONTWAIT|linux.MSG_ERRQUEUE) != 0
	x.all = socket.WaitsForAll(i, x.in.Flags) && !nonblock
	if x.done = int(t.Begun()); x.done > 0 {
		x.began = true
		x.in.Data.Skip(uint64(x.done))
	}
	err := x.run(t, s, i, d, nonblock)
	if x.began && interrupted(err) && onlyData(&x.in) {
		return t.CutShort(uint64(x.done))
	}
	if x.began {
		return uintptr(x.done), nil
	}
	return 0, err
}

// onlyData reports whether nothing came with the data that a call made again
// would not give.
func onlyData(in *socket.Incoming) bool {
	return in.OutFlags == 0 && len(in.From) == 0 && len(in.Control.Rights) == 0 && len(in.Control.Messages) == 0
}

// readSocket and writeSocket are read(2) and write(2) on a socket.
func readSocket(t *task.Task, s socket.Socket, d *vfs.Description, dst *usermem.Seq) (uintptr, error) {
	if dst.Len() == 0 {
		return 0, nil // as in Linux, nothing is received
	}
	x := newExchange()
	defer x.put()
	x.in.Data, x.in.NoFrom = dst, true
	n, err := x.receive(t, s, d)
	x.in.Control.Release()
	return n, err
}

func writeSocket(t *task.Task, s socket.Socket, d *vfs.Description, src *usermem.Seq) (uintptr, error) {
	x := newExchange()
	defer x.put()
	x.out.Data = src
	if s.Info().Type == linux.SOCK_SEQPACKET {
		x.out.Flags = linux.MSG_EOR
	}
	return x.send(t, s, d)
}

// sysSendto is sendto(2).
func sysSendto(t *task.Task, fd linux.FD, buf arg.InBytes, n arg.Size, flags linux.MsgFlags, to arg.InBytes, toLen arg.Count) (uintptr, error) {
	var err error
	seq := t.Buffers()
	if *seq, err = buf.Seq(t.MM(), uint64(n)); err != nil {
		return 0, err
	}
	s, d, err := socketOf(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	x := newExchange()
	defer x.put()
	x.out.Flags, x.out.Data = flags, seq
	if to != 0 {
		if x.out.To, err = loadAddress(t, to, toLen); err != nil {
			return 0, err
		}
	}
	return x.send(t, s, d.Description)
}

// sysRecvfrom is recvfrom(2).
func sysRecvfrom(t *task.Task, fd linux.FD, buf arg.OutBytes, n arg.Size, flags linux.MsgFlags, from arg.OutBytes, fromLen arg.InOut[int32]) (uintptr, error) {
	var err error
	seq := t.Buffers()
	if *seq, err = buf.Seq(t.MM(), uint64(n)); err != nil {
		return 0, err
	}
	s, d, err := socketOf(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	x := newExchange()
	defer x.put()
	x.in.Flags, x.in.Data, x.in.NoFrom = flags, seq, from == 0
	r, err := x.receive(t, s, d.Description)
	x.in.Control.Release()
	if err == nil && from != 0 {
		err = storeAddress(t, from, fromLen, x.in.From)
	}
	return r, err
}

// checkHeader is what sendmsg and recvmsg check first.
func checkHeader(h *linux.MsgHdr) error {
	if int32(h.Namelen) < 0 {
		return linux.EINVAL
	}
	if h.Iovlen > arg.MaxIOV {
		return linux.EMSGSIZE
	}
	if h.Name == 0 {
		h.Namelen = 0
	}
	h.Namelen = min(h.Namelen, linux.SOCKADDR_STORAGE_SIZE)
	return nil
}

// sysSendmsg is sendmsg(2).
func sysSendmsg(t *task.Task, fd linux.FD, msg arg.In[linux.MsgHdr], flags linux.MsgFlags) (uintptr, error) {
	s, d, err := socketOf(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	return sendMessage(t, s, d.Description, msg, flags)
}

func sendMessage(t *task.Task, s socket.Socket, d *vfs.Description, msg arg.In[linux.MsgHdr], flags linux.MsgFlags) (uintptr, error) {
	h, err := msg.Load(t.MM())
	if err != nil {
		return 0, err
	}
	if err := checkHeader(&h); err != nil {
		return 0, err
	}
	x := newExchange()
	defer x.put()
	m := &x.out
	m.Flags = flags
	if m.To, err = loadAddress(t, arg.InBytes(h.Name), arg.Count(h.Namelen)); err != nil {
		return 0, err
	}
	m.Data = t.Buffers()
	if *m.Data, err = arg.IOVec(t.MM(), h.Iov, h.Iovlen); err != nil {
		return 0, err
	}
	if h.Controllen > math.MaxInt32 || h.Controllen > socket.MaxControl {
		return 0, linux.ENOBUFS
	}
	if h.Control != 0 && h.Controllen > 0 {
		b, err := arg.InBytes(h.Control).Bytes(t.MM(), int(h.Controllen))
		if err != nil {
			return 0, err
		}
		if m.Control, err = socket.ParseControl(b, s.Info().Family, t.FDs()); err != nil {
			return 0, err
		}
		defer m.Control.Release()
	}
	return x.send(t, s, d)
}

// sysRecvmsg is recvmsg(2).
func sysRecvmsg(t *task.Task, fd linux.FD, msg arg.InOut[linux.MsgHdr], flags linux.MsgFlags) (uintptr, error) {
	s, d, err := socketOf(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	return receiveMessage(t, s, d.Description, msg, flags)
}

func receiveMessage(t *task.Task, s socket.Socket, d *vfs.Description, msg arg.InOut[linux.MsgHdr], flags linux.MsgFlags) (uintptr, error) {
	h, err := msg.Load(t.MM())
	if err != nil {
		return 0, err
	}
	if err := checkHeader(&h); err != nil {
		return 0, err
	}
	x := newExchange()
	defer x.put()
	x.in.Flags, x.in.Data, x.in.NoFrom = flags, t.Buffers(), h.Name == 0
	if *x.in.Data, err = arg.IOVec(t.MM(), h.Iov, h.Iovlen); err != nil {
		return 0, err
	}
	r, err := x.receive(t, s, d)
	if err != nil {
		x.in.Control.Release()
		return 0, err
	}
	return r, storeMessage(t, msg, &h, &x.in)
}

// storeMessage writes what came beside the data.
func storeMessage(t *task.Task, msg arg.InOut[linux.MsgHdr], h *linux.MsgHdr, in *socket.Incoming) error {
	out := in.OutFlags | in.Flags&linux.MSG_CMSG_CLOEXEC
	if in.Flags&linux.MSG_CMSG_CLOEXEC != 0 {
		in.Control.Cloexec = true
	}
	room := 0
	if h.Control != 0 {
		room = int(min(h.Controllen, socket.MaxControl))
	}
	limit := t.Group().Limits().Soft(linux.RLIMIT_NOFILE)
	in.Control.NumberFor(t)
	control := in.Control.Build(room, &out, func(d *vfs.Description, f linux.FDFlags) (linux.FD, error) {
		return t.FDs().Install(d, 0, limit, f)
	})
	if h.Name != 0 {
		if err := arg.OutBytes(h.Name).Store(t.MM(), in.From[:min(len(in.From), int(h.Namelen))]); err != nil {
			return err
		}
		h.Namelen = uint32(len(in.From))
	}
	if err := arg.OutBytes(h.Control).Store(t.MM(), control); err != nil {
		return err
	}
	h.Controllen, h.Flags = uint64(len(control)), out
	return msg.Store(t.MM(), h)
}

// mmsgSize is the size of struct mmsghdr, mmsgLen where the length stands.
const mmsgSize, mmsgLen = 64, 56

// sysSendmmsg is sendmmsg(2).
func sysSendmmsg(t *task.Task, fd linux.FD, msgs arg.InOut[linux.MMsgHdr], n uint32, flags linux.MsgFlags) (uintptr, error) {
	s, d, err := socketOf(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	for i := range uintptr(min(n, arg.MaxIOV)) {
		at := uintptr(msgs) + i*mmsgSize
		r, err := sendMessage(t, s, d.Description, arg.In[linux.MsgHdr](at), flags)
		if err == nil {
			k := uint32(r)
			err = arg.StoreAt(t.MM(), uint64(at+mmsgLen), &k)
		}
		if err != nil {
			return result1(int(i), err)
		}
	}
	return uintptr(min(n, arg.MaxIOV)), nil
}

// sysRecvmmsg is recvmmsg(2). As in Linux, the time-out is looked at after each
// message and does not end the wait for one.
func sysRecvmmsg(t *task.Task, fd linux.FD, msgs arg.InOut[linux.MMsgHdr], n uint32, flags linux.MsgFlags, timeout arg.InOut[linux.Timespec]) (uintptr, error) {
	deadline, err := deadlineIn(t, arg.In[linux.Timespec](timeout))
	if err != nil {
		return 0, err
	}
	s, d, err := socketOf(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	got, err := receiveMany(t, s, d.Description, msgs, min(n, arg.MaxIOV), flags, deadline)
	if timeout != 0 && got > 0 {
		left := linux.TimespecFromNS(max(deadline-t.System().Clocks.Monotonic.Now(), 0))
		if err := timeout.Store(t.MM(), &left); err != nil {
			return 0, err
		}
	}
	return result1(got, err)
}

func receiveMany(t *task.Task, s socket.Socket, d *vfs.Description, msgs arg.InOut[linux.MMsgHdr], n uint32, flags linux.MsgFlags, deadline int64) (int, error) {
	one := flags&linux.MSG_WAITFORONE != 0
	flags &^= linux.MSG_WAITFORONE
	for i := range uintptr(n) {
		at := uintptr(msgs) + i*mmsgSize
		r, err := receiveMessage(t, s, d, arg.InOut[linux.MsgHdr](at), flags)
		if err == nil {
			k := uint32(r)
			err = arg.StoreAt(t.MM(), uint64(at+mmsgLen), &k)
		}
		if err != nil {
			return int(i), err
		}
		if one {
			flags |= linux.MSG_DONTWAIT
		}
		if deadline != task.NoDeadline && t.System().Clocks.Monotonic.Now() >= deadline {
			return int(i) + 1, nil
		}
	}
	return int(n), nil
}
