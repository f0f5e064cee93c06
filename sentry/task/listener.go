package task

import (
	"slices"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/bpf"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// A Listener is the File of SECCOMP_FILTER_FLAG_NEW_LISTENER: calls that its filter
// has stopped wait in it for an answer, as many as there are threads under the
// filter. There is one at most in a list of filters.
type Listener struct {
	// immutable
	killable bool // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV

	// atomic
	users atomic.Int64 // living threads under the filter

	mu lock.Mutex[lock.SeccompListener]
	// guarded by mu
	closed bool
	lastID uint64
	calls  []*notification

	queue wait.Queue
}

// notifyState is how far a notification is.
type notifyState uint8

const (
	notifyNew      notifyState = iota
	notifySent                 // somebody has received it
	notifyAnswered             // its task is to go on
)

// A notification is a call that waits. Its task puts it there and takes it away; the
// wait survives a checkpoint, as it is not seen by who answers.
type notification struct {
	// immutable
	listener *Listener
	task     *Task
	id       uint64
	data     linux.SeccompData

	// guarded by listener.mu
	state  notifyState
	answer linux.SeccompNotifResp
}

// NewListener returns the listener of a filter to be.
func NewListener(flags linux.SeccompFilterFlags) *Listener {
	return &Listener{killable: flags&linux.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV != 0}
}

// listens is the listener of a list of filters, or nil.
func (f *Filter) listens() *Listener {
	if f == nil {
		return nil
	}
	return f.listener
}

// deciding returns the filter of the list whose verdict v is.
func (f *Filter) deciding(v uint32, d *bpf.Call) *Filter {
	for ; f != nil; f = f.prev {
		if action(f.prog.Run(d)) == action(v) {
			return f
		}
	}
	return nil
}

// setSeccomp gives t a list of filters that begins with those it has.
func (t *Task) setSeccomp(f *Filter) {
	if l := f.listens(); l != nil && t.seccomp.Load().listens() != l {
		l.users.Add(1)
	}
	t.seccomp.Store(f)
	t.withdrawFacts()
}

// leaveListener counts t, which has ended, no more.
func (t *Task) leaveListener() {
	if l := t.seccomp.Load().listens(); l != nil && l.users.Add(-1) == 0 {
		l.queue.Notify(wait.Hup | wait.In | wait.Out)
	}
}

// askListener has the filter's listener decide about the call in t's registers, and
// reports whether it is to be made; if not, everything else is done.
func (t *Task) askListener(f *Filter) (pass bool) {
	d := linux.SeccompData{Nr: int32(t.callNumber), Arch: linux.AUDIT_ARCH_X86_64, InstructionPointer: t.regs.RIP}
	for i, a := range t.args {
		d.Args[i] = uint64(a)
	}
	n := &notification{listener: f.listener, task: t, data: d}
	if f.listener == nil || !f.ownsListener || !f.listener.add(n) {
		t.finishCall(0, linux.ENOSYS)
		return false
	}
	t.notified = n
	return t.awaitAnswer()
}

// awaitAnswer waits for the answer to t.notified.
func (t *Task) awaitAnswer() (pass bool) {
	n := t.notified
	err := t.answered(n)
	t.notified = nil
	a := n.listener.remove(n)
	switch {
	case err != nil:
		t.finishCall(0, RestartSys)
	case a.Flags&linux.SECCOMP_USER_NOTIF_FLAG_CONTINUE != 0:
		return true
	case a.Error != 0:
		t.finishCall(uintptr(int64(a.Error)), nil)
	default:
		t.finishCall(uintptr(a.Val), nil)
	}
	return false
}

// answered waits until n has an answer, or something pressing comes: only the end,
// once a killable notification has been received.
func (t *Task) answered(n *notification) error {
	done := func() bool { return n.is(notifyAnswered) }
	stays := func() bool { return n.listener.killable && n.is(notifySent) }
	for {
		if stays() {
			if !t.uninterruptible(done) {
				return ErrInterrupted
			}
			return nil
		}
		err := t.Sleep(nil, NoDeadline, func() bool { return done() || stays() })
		switch {
		case err == nil && done():
			return nil
		case err == nil || stays():
		case t.OnlyFrozen():
			t.freeze()
		default:
			return err
		}
	}
}

func (n *notification) is(s notifyState) bool {
	n.listener.mu.Lock()
	defer n.listener.mu.Unlock()
	return n.state == s
}

func (l *Listener) add(n *notification) bool {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return false
	}
	l.lastID++
	n.id = l.lastID
	l.calls = append(l.calls, n)
	l.mu.Unlock()
	l.queue.Notify(wait.In | wait.RdNorm)
	return true
}

func (l *Listener) remove(n *notification) linux.SeccompNotifResp {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.calls, n); i >= 0 {
		l.calls = slices.Delete(l.calls, i, i+1)
	}
	return n.answer
}

func (l *Listener) findLocked(id uint64) *notification {
	for _, n := range l.calls {
		if n.id == id && n.state != notifyAnswered {
			return n
		}
	}
	return nil
}

func (n *notification) answerLocked(a linux.SeccompNotifResp) {
	n.state, n.answer = notifyAnswered, a
	n.task.Nudge()
}

// Release implements vfs.File: whoever waits gets ENOSYS.
func (l *Listener) Release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, n := range l.calls {
		if n.state != notifyAnswered {
			n.answerLocked(linux.SeccompNotifResp{Error: -int32(linux.ENOSYS)})
		}
	}
}

// Readiness implements vfs.Poller.
func (l *Listener) Readiness(mask wait.Events) wait.Events {
	l.mu.Lock()
	defer l.mu.Unlock()
	var r wait.Events
	for _, n := range l.calls {
		switch n.state {
		case notifyNew:
			r |= wait.In | wait.RdNorm
		case notifySent:
			r |= wait.Out | wait.WrNorm
		}
	}
	if l.users.Load() == 0 {
		r |= wait.Hup
	}
	return r & (mask | wait.Always)
}

// Queue implements vfs.Poller.
func (l *Listener) Queue() *wait.Queue { return &l.queue }

// Receive is SECCOMP_IOCTL_NOTIF_RECV for t: the oldest call that nobody has received.
// EAGAIN: there is none yet; ENOENT: there will be none.
func (l *Listener) Receive(t *Task) (*linux.SeccompNotif, error) {
	l.mu.Lock()
	i := slices.IndexFunc(l.calls, func(n *notification) bool { return n.state == notifyNew })
	if i < 0 {
		l.mu.Unlock()
		if l.users.Load() == 0 {
			return nil, linux.ENOENT
		}
		return nil, linux.EAGAIN
	}
	n := l.calls[i]
	n.state = notifySent
	n.task.Nudge() // it may have to stay from now on
	l.mu.Unlock()
	l.queue.Notify(wait.Out | wait.WrNorm)
	return &linux.SeccompNotif{ID: n.id, PID: uint32(t.FromRootPID(n.task.TID())), Data: n.data}, nil
}

// PutBack undoes a Receive whose result could not be stored.
func (l *Listener) PutBack(id uint64) {
	l.mu.Lock()
	if n := l.findLocked(id); n != nil {
		n.state = notifyNew
	}
	l.mu.Unlock()
	l.queue.Notify(wait.In | wait.RdNorm)
}

// Answer is SECCOMP_IOCTL_NOTIF_SEND.
func (l *Listener) Answer(a *linux.SeccompNotifResp) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := l.sentLocked(a.ID)
	if err != nil {
		return err
	}
	n.answerLocked(*a)
	return nil
}

// sentLocked finds a call that has been received and not answered.
func (l *Listener) sentLocked(id uint64) (*notification, error) {
	for _, n := range l.calls {
		if n.id != id {
			continue
		}
		if n.state != notifySent {
			return nil, linux.EINPROGRESS
		}
		return n, nil
	}
	return nil, linux.ENOENT
}

// Valid is SECCOMP_IOCTL_NOTIF_ID_VALID.
func (l *Listener) Valid(id uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.findLocked(id)
	return n != nil && n.state == notifySent
}

// AddFD is SECCOMP_IOCTL_NOTIF_ADDFD: it gives the task that waits a descriptor of d,
// whose reference it takes over.
func (l *Listener) AddFD(a *linux.SeccompNotifAddfd, d *vfs.Description) (linux.FD, error) {
	l.mu.Lock()
	n, err := l.sentLocked(a.ID)
	l.mu.Unlock()
	if err != nil {
		d.DecRef()
		return 0, err
	}
	fd, flags := linux.FD(a.NewFD), linux.FDFlags(0)
	if a.NewFDFlags&uint32(linux.O_CLOEXEC) != 0 {
		flags = linux.FD_CLOEXEC
	}
	// The task waits, so that its table stays; it is not locked with the listener.
	fds, limit := n.task.FDs(), n.task.group.Limits().Soft(linux.RLIMIT_NOFILE)
	if a.Flags&linux.SECCOMP_ADDFD_FLAG_SETFD != 0 {
		err = fds.Replace(fd, d, limit, flags)
	} else if fd, err = fds.Install(d, 0, limit, flags); err == error(linux.EINVAL) {
		err = linux.EMFILE
	}
	if err != nil {
		d.DecRef()
		return 0, err
	}
	if a.Flags&linux.SECCOMP_ADDFD_FLAG_SEND != 0 {
		return fd, l.Answer(&linux.SeccompNotifResp{ID: a.ID, Val: int64(fd)})
	}
	return fd, nil
}
