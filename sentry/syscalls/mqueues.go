package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/fs/mqueue"
	"cordon/sentry/ipc"
	"cordon/sentry/ktime"
	"cordon/sentry/socket"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// queuesOf returns the message queues of the task's IPC namespace.
func queuesOf(t *task.Task) (*mqueue.FS, error) {
	ns, _ := t.Namespaces().IPC.(*ipc.Namespace)
	if fs := mqueue.Of(ns); fs != nil {
		return fs, nil
	}
	return nil, linux.ENOSYS
}

// sysMqOpen is mq_open(2).
func sysMqOpen(t *task.Task, name arg.Path, flags linux.OpenFlags, mode arg.Mode, attr arg.In[linux.MqAttr]) (uintptr, error) {
	var a *linux.MqAttr
	if attr != 0 {
		v, err := attr.Load(t.MM())
		if err != nil {
			return 0, err
		}
		a = &v
	}
	text, err := name.Load(t.MM())
	if err != nil {
		return 0, err
	}
	if text == "" {
		return 0, linux.ENOENT
	}
	fs, err := queuesOf(t)
	if err != nil {
		return 0, err
	}
	limit := t.Group().Limits().Soft(linux.RLIMIT_NOFILE)
	if uint64(t.FDs().Lowest()) >= limit {
		return 0, linux.EMFILE // before anything is made
	}
	d, err := fs.Open(t.Caller(), text, flags, linux.FileMode(mode), a)
	if err != nil {
		return 0, err
	}
	fd, err := t.FDs().Install(d, 0, limit, linux.FD_CLOEXEC)
	if err != nil {
		d.DecRef()
		return 0, err
	}
	return uintptr(fd), nil
}

// sysMqUnlink is mq_unlink(2).
func sysMqUnlink(t *task.Task, name arg.Path) (uintptr, error) {
	text, err := name.Load(t.MM())
	if err != nil {
		return 0, err
	}
	if text == "" {
		return 0, linux.ENOENT
	}
	fs, err := queuesOf(t)
	if err != nil {
		return 0, err
	}
	return 0, fs.Unlink(t.Caller(), text)
}

// mqDeadline reads mq_timedsend's time: on CLOCK_REALTIME, none if addr is 0.
func mqDeadline(t *task.Task, timeout arg.In[linux.Timespec]) (ktime.Clock, int64, error) {
	if timeout == 0 {
		return nil, task.NoDeadline, nil
	}
	ts, err := timeout.Load(t.MM())
	if err != nil {
		return nil, 0, err
	}
	if !ts.Valid() {
		return nil, 0, linux.EINVAL
	}
	return t.System().Clocks.Realtime, ts.ToNS(), nil
}

// openQueue returns the queue that fd is open for.
func openQueue(t *task.Task, fd linux.FD) (vfs.Borrowed, *mqueue.Queue, error) {
	d, err := borrow(t, fd)
	if err != nil {
		return d, nil, err
	}
	f, isQueue := d.File().(*mqueue.File)
	if !isQueue {
		d.DecRef()
		return vfs.Borrowed{}, nil, linux.EBADF
	}
	return d, f.Of(), nil
}

// mqWait sleeps until w's wait is over.
func mqWait(t *task.Task, q *mqueue.Queue, w *mqueue.Waiter, clock ktime.Clock, deadline int64) error {
	err := t.Sleep(clock, deadline, w.Done)
	if err == nil || !q.Leave(w) {
		return nil
	}
	if err == linux.ETIMEDOUT {
		return err
	}
	return task.RestartSys
}

// waiterFor returns what stands for t in a queue, nil where the descriptor does
// not wait.
func waiterFor(t *task.Task, d *vfs.Description) *mqueue.Waiter {
	if d.Nonblocking() {
		return nil
	}
	return &mqueue.Waiter{Wake: t.Nudge, Priority: t.KernelPriority()}
}

// sysMqTimedsend is mq_timedsend(2).
func sysMqTimedsend(t *task.Task, fd linux.FD, msg arg.InBytes, n arg.Size, priority uint32, timeout arg.In[linux.Timespec]) (uintptr, error) {
	clock, deadline, err := mqDeadline(t, timeout)
	if err != nil {
		return 0, err
	}
	if priority >= linux.MQ_PRIO_MAX {
		return 0, linux.EINVAL
	}
	d, q, err := openQueue(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	if !d.Writable() {
		return 0, linux.EBADF
	}
	if _, each := q.Limits(); uint64(n) > each {
		return 0, linux.EMSGSIZE
	}
	data, err := msg.Bytes(t.MM(), int(n))
	if err != nil {
		return 0, err
	}
	w := waiterFor(t, d.Description)
	err = q.Send(t, mqueue.Message{Data: data, Priority: priority}, w)
	if err != linux.EAGAIN || w == nil {
		return 0, err
	}
	return 0, mqWait(t, q, w, clock, deadline)
}

// sysMqTimedreceive is mq_timedreceive(2).
func sysMqTimedreceive(t *task.Task, fd linux.FD, msg arg.OutBytes, n arg.Size, priority arg.Out[uint32], timeout arg.In[linux.Timespec]) (uintptr, error) {
	clock, deadline, err := mqDeadline(t, timeout)
	if err != nil {
		return 0, err
	}
	d, q, err := openQueue(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	if !d.Readable() {
		return 0, linux.EBADF
	}
	if _, each := q.Limits(); uint64(n) < each {
		return 0, linux.EMSGSIZE
	}
	w := waiterFor(t, d.Description)
	m, err := q.Receive(w)
	if err == linux.EAGAIN && w != nil {
		err = mqWait(t, q, w, clock, deadline)
		m = w.Message()
	}
	if err != nil {
		return 0, err
	}
	if priority != 0 {
		if err := priority.Store(t.MM(), &m.Priority); err != nil {
			return 0, err
		}
	}
	return uintptr(len(m.Data)), msg.Store(t.MM(), m.Data)
}

// sysMqNotify is mq_notify(2).
func sysMqNotify(t *task.Task, fd linux.FD, event arg.In[linux.Sigevent]) (uintptr, error) {
	if event == 0 {
		d, q, err := openQueue(t, fd)
		if err != nil {
			return 0, err
		}
		defer d.DecRef()
		q.Deregister(t.Group())
		return 0, nil
	}
	e, err := event.Load(t.MM())
	if err != nil {
		return 0, err
	}
	n := mqueue.Notice{Kind: e.Notify, Value: e.Value}
	switch e.Notify {
	case linux.SIGEV_NONE:
	case linux.SIGEV_SIGNAL:
		if e.Signo < 0 || e.Signo > linux.NSIG {
			return 0, linux.EINVAL
		}
		n.Signo = e.Signo
	case linux.SIGEV_THREAD:
		if n.Cookie, err = arg.LoadAt[[mqueue.CookieLen]byte](t.MM(), e.Value); err != nil {
			return 0, err
		}
		if n.Socket, err = cookieSocket(t, linux.FD(e.Signo)); err != nil {
			return 0, err
		}
	default:
		return 0, linux.EINVAL
	}
	d, q, err := openQueue(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	return 0, q.Register(t.Group(), n)
}

// cookieSocket returns the netlink socket that fd is.
func cookieSocket(t *task.Task, fd linux.FD) (mqueue.CookieSocket, error) {
	d, err := borrow(t, fd)
	if err != nil {
		return nil, err
	}
	defer d.DecRef()
	if _, isSocket := d.File().(socket.Socket); !isSocket {
		return nil, linux.ENOTSOCK
	}
	s, isNetlink := d.File().(mqueue.CookieSocket)
	if !isNetlink {
		return nil, linux.EINVAL
	}
	return s, nil
}

// sysMqGetsetattr is mq_getsetattr(2).
func sysMqGetsetattr(t *task.Task, fd linux.FD, attr arg.In[linux.MqAttr], old arg.Out[linux.MqAttr]) (uintptr, error) {
	var to linux.MqAttr
	if attr != 0 {
		var err error
		if to, err = attr.Load(t.MM()); err != nil {
			return 0, err
		}
		if to.Flags&^int64(linux.O_NONBLOCK) != 0 {
			return 0, linux.EINVAL
		}
	}
	d, q, err := openQueue(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	most, each := q.Limits()
	was := linux.MqAttr{Flags: int64(d.Flags() & linux.O_NONBLOCK), Maxmsg: int64(most), Msgsize: int64(each), Curmsgs: int64(q.Count())}
	if attr != 0 {
		if err := d.SetFlags(t.Caller(), d.Flags()&^linux.O_NONBLOCK|linux.OpenFlags(to.Flags)); err != nil {
			return 0, err
		}
		q.Looked()
	}
	if old == 0 {
		return 0, nil
	}
	return 0, old.Store(t.MM(), &was)
}
