package syscalls

import (
	"encoding/binary"

	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/socket"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// socketOf returns the socket behind fd and the description that keeps it.
func socketOf(t *task.Task, fd linux.FD) (socket.Socket, vfs.Borrowed, error) {
	d, err := borrow(t, fd)
	if err != nil {
		return nil, d, err
	}
	s, err := socket.Of(d.Description)
	if err != nil {
		d.DecRef()
	}
	return s, d, err
}

// netOf is the task's network namespace, nil in a kernel without sockets.
func netOf(t *task.Task) *socket.Namespace {
	ns, _ := t.Namespaces().Net.(*socket.Namespace)
	return ns
}

// loadAddress reads a socket address of n bytes; 0 is none.
func loadAddress(t *task.Task, p arg.InBytes, n arg.Count) (socket.Address, error) {
	if n < 0 || n > linux.SOCKADDR_STORAGE_SIZE {
		return nil, linux.EINVAL
	}
	if n == 0 {
		return nil, nil
	}
	return p.Bytes(t.MM(), int(n))
}

// storeAddress writes an address to a buffer whose size *n says, as far as it
// fits, and its real length to *n.
func storeAddress(t *task.Task, p arg.OutBytes, n arg.InOut[int32], a socket.Address) error {
	room, err := n.Load(t.MM())
	if err != nil {
		return err
	}
	if room < 0 {
		return linux.EINVAL
	}
	if err := p.Store(t.MM(), a[:min(len(a), int(room))]); err != nil {
		return err
	}
	size := int32(len(a))
	return n.Store(t.MM(), &size)
}

const socketFlags = linux.SOCK_NONBLOCK | linux.SOCK_CLOEXEC

// descriptionOf makes the description of a new socket with the type's flags.
func descriptionOf(t *task.Task, s socket.Socket, flags linux.SockType) *vfs.Description {
	return socket.NewDescription(t.System().VFS, t.Caller(), s, linux.OpenFlags(flags&linux.SOCK_NONBLOCK))
}

// sysSocket is socket(2).
func sysSocket(t *task.Task, domain linux.SocketDomain, typ linux.SockType, protocol int32) (uintptr, error) {
	flags := typ &^ linux.SOCK_TYPE_MASK
	if flags&^socketFlags != 0 {
		return 0, linux.EINVAL
	}
	ns := netOf(t)
	if ns == nil {
		return 0, linux.EAFNOSUPPORT
	}
	s, err := t.System().Sockets.New(t.Caller(), ns, domain.Family(), typ&linux.SOCK_TYPE_MASK, protocol)
	if err != nil {
		return 0, err
	}
	return install(t, descriptionOf(t, s, flags), linux.OpenFlags(flags&linux.SOCK_CLOEXEC))
}

// sysSocketpair is socketpair(2).
func sysSocketpair(t *task.Task, domain linux.SocketDomain, typ linux.SockType, protocol int32, out arg.Out[[2]int32]) (uintptr, error) {
	flags := typ &^ linux.SOCK_TYPE_MASK
	if flags&^socketFlags != 0 {
		return 0, linux.EINVAL
	}
	ns := netOf(t)
	if ns == nil {
		return 0, linux.EAFNOSUPPORT
	}
	a, b, err := t.System().Sockets.NewPair(t.Caller(), ns, domain.Family(), typ&linux.SOCK_TYPE_MASK, protocol)
	if err != nil {
		return 0, err
	}
	return installTwo(t, descriptionOf(t, a, flags), descriptionOf(t, b, flags), flags&linux.SOCK_CLOEXEC != 0, out)
}

// sysBind is bind(2).
func sysBind(t *task.Task, fd linux.FD, addr arg.InBytes, n arg.Count) (uintptr, error) {
	s, d, err := socketOf(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	a, err := loadAddress(t, addr, n)
	if err != nil {
		return 0, err
	}
	return 0, s.Bind(t.Caller(), a)
}

// sysListen is listen(2).
func sysListen(t *task.Task, fd linux.FD, backlog int32) (uintptr, error) {
	s, d, err := socketOf(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	return 0, s.Listen(t.Caller(), int(backlog))
}

// A patience is how long a call on a socket waits.
type patience struct {
	deadline int64
	restart  error // what an interruption is
}

// patienceOf turns a socket's time-out into a deadline. As in Linux, a call
// with a time-out is not restarted after a signal or a stop.
func patienceOf(t *task.Task, timeout int64) patience {
	if timeout == socket.NoTimeout {
		return patience{task.NoDeadline, task.RestartSys}
	}
	return patience{after(t.System().Clocks.Monotonic.Now(), timeout), task.RestartNoStop}
}

// socketIO runs try until it says something other than EAGAIN.
func socketIO(t *task.Task, d *vfs.Description, out, nonblock bool, p patience, try func() (int, error)) (uintptr, error) {
	mask := waitIn
	if out {
		mask = waitOut
	}
	return t.IOUntil(d, mask, nonblock, t.System().Clocks.Monotonic, p.deadline, p.restart, try)
}

// sysConnect is connect(2).
func sysConnect(t *task.Task, fd linux.FD, addr arg.InBytes, n arg.Count) (uintptr, error) {
	s, d, err := socketOf(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	a, err := loadAddress(t, addr, n)
	if err != nil {
		return 0, err
	}
	_, timeout := s.Timeouts()
	p := patienceOf(t, timeout)
	_, err = socketIO(t, d.Description, true, d.Nonblocking(), p, func() (int, error) { return 0, s.Connect(t.Caller(), a) })
	if d.Nonblocking() || err != linux.EINPROGRESS && err != linux.EALREADY {
		return 0, err
	}
	// A handshake is under way, of this call or of one that was interrupted.
	_, err = socketIO(t, d.Description, true, false, p, func() (int, error) { return 0, s.ConnectResult() })
	if err == linux.EAGAIN {
		err = linux.EINPROGRESS
	}
	return 0, err
}

// sysAccept is accept(2) without flags.
func sysAccept(t *task.Task, fd linux.FD, addr arg.OutBytes, n arg.InOut[int32]) (uintptr, error) {
	return sysAccept4(t, fd, addr, n, 0)
}

// sysAccept4 is accept(2).
func sysAccept4(t *task.Task, fd linux.FD, addr arg.OutBytes, n arg.InOut[int32], flags linux.SockType) (uintptr, error) {
	d, err := get(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	if flags&^socketFlags != 0 {
		return 0, linux.EINVAL
	}
	s, err := socket.Of(d)
	if err != nil {
		return 0, err
	}
	var conn socket.Socket
	var peer socket.Address
	timeout, _ := s.Timeouts()
	_, err = socketIO(t, d, false, d.Nonblocking(), patienceOf(t, timeout), func() (_ int, err error) {
		conn, peer, err = s.Accept(t.Caller())
		return 0, err
	})
	if err != nil {
		return 0, err
	}
	made := descriptionOf(t, conn, flags)
	if addr != 0 {
		if err := storeAddress(t, addr, n, peer); err != nil {
			made.DecRef()
			return 0, err
		}
	}
	return install(t, made, linux.OpenFlags(flags&linux.SOCK_CLOEXEC))
}

// sysGetsockname is getsockname(2).
func sysGetsockname(t *task.Task, fd linux.FD, addr arg.OutBytes, n arg.InOut[int32]) (uintptr, error) {
	return socketName(t, fd, addr, n, socket.Socket.LocalName)
}

// sysGetpeername is getpeername(2).
func sysGetpeername(t *task.Task, fd linux.FD, addr arg.OutBytes, n arg.InOut[int32]) (uintptr, error) {
	return socketName(t, fd, addr, n, socket.Socket.PeerName)
}

func socketName(t *task.Task, fd linux.FD, addr arg.OutBytes, n arg.InOut[int32], name func(socket.Socket) (socket.Address, error)) (uintptr, error) {
	s, d, err := socketOf(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	a, err := name(s)
	if err != nil {
		return 0, err
	}
	return 0, storeAddress(t, addr, n, a)
}

// sysShutdown is shutdown(2).
func sysShutdown(t *task.Task, fd linux.FD, how linux.ShutdownHow) (uintptr, error) {
	s, d, err := socketOf(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	if how < linux.SHUT_RD || how > linux.SHUT_RDWR {
		return 0, linux.EINVAL
	}
	return 0, s.Shutdown(how)
}

// maxAsked is how much is looked at of the buffer for an option's value.
const maxAsked = 128

// maxOption is how much of an option's value is looked at.
const maxOption = 256 << 10

// sysSetsockopt is setsockopt(2); docs/sockets.md lists the options.
//
// Partial: the options that docs/sockets.md lists
func sysSetsockopt(t *task.Task, fd linux.FD, level linux.SockLevel, opt int32, value arg.InBytes, n arg.Count) (uintptr, error) {
	if n < 0 {
		return 0, linux.EINVAL
	}
	s, d, err := socketOf(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	b, err := value.Bytes(t.MM(), int(min(n, maxOption)))
	if err != nil {
		return 0, err
	}
	if level == linux.SOL_SOCKET && linux.SockOpt(opt) == linux.SO_ATTACH_FILTER {
		if b, err = loadFilter(t, b); err != nil {
			return 0, err
		}
	}
	return 0, s.SetOption(t.Caller(), level, opt, b)
}

// loadFilter returns the instructions behind a struct sock_fprog: what sockets
// get as the value of SO_ATTACH_FILTER.
func loadFilter(t *task.Task, prog []byte) ([]byte, error) {
	const size, instruction, most = 16, 8, 4096
	if len(prog) != size {
		return nil, linux.EINVAL
	}
	n := int(binary.LittleEndian.Uint16(prog))
	if n == 0 || n > most {
		return nil, linux.EINVAL
	}
	return arg.InBytes(binary.LittleEndian.Uint64(prog[8:])).Bytes(t.MM(), n*instruction)
}

// sysGetsockopt is getsockopt(2).
//
// Partial: the options that docs/sockets.md lists
func sysGetsockopt(t *task.Task, fd linux.FD, level linux.SockLevel, opt int32, value arg.OutBytes, n arg.InOut[int32]) (uintptr, error) {
	s, d, err := socketOf(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	room, err := n.Load(t.MM())
	if err != nil {
		return 0, err
	}
	if room < 0 {
		return 0, linux.EINVAL
	}
	var b []byte
	if q, ok := s.(socket.Asker); ok && q.Asks(level, opt) {
		var asked []byte
		if asked, err = arg.InBytes(value).Bytes(t.MM(), int(min(room, maxAsked))); err != nil {
			return 0, err
		}
		b, err = q.AskOption(t.Caller(), level, opt, asked, int(room))
	} else {
		b, err = s.GetOption(t.Caller(), level, opt, int(room))
	}
	if err != nil {
		return 0, err
	}
	b = b[:min(len(b), int(room))]
	if err := value.Store(t.MM(), b); err != nil {
		return 0, err
	}
	size := int32(len(b))
	return 0, n.Store(t.MM(), &size)
}
