package mqueue

import (
	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// CookieLen is how long the cookie of SIGEV_THREAD is; its last byte says why it
// comes (Linux: include/uapi/linux/mqueue.h).
const CookieLen = 32

const (
	notifyWokenUp = 1
	notifyRemoved = 2
)

// A Process is one that asks to be told. task.ThreadGroup implements it.
type Process interface {
	ID() int32
	// Execs counts the programs that it has run.
	Execs() uint32
	// UsesFDs reports whether a thread of it has its descriptors in t.
	UsesFDs(t *vfs.FDTable) bool
	// SignalMessage sends it a signal for a message of by.
	SignalMessage(by vfs.Job, info *linux.SigInfo)
}

// A CookieSocket takes the cookie of SIGEV_THREAD: a netlink socket.
type CookieSocket interface {
	PutCookie(cookie []byte)
}

// A Notice is how a process is to be told (struct sigevent). Socket and Cookie are
// for SIGEV_THREAD.
type Notice struct {
	Kind   linux.SigevNotify
	Signo  linux.Signal
	Value  uint64
	Socket CookieSocket
	Cookie [CookieLen]byte
}

// A registration is a process that is to be told, once, that an empty queue has got
// a message.
type registration struct {
	Notice
	to    Process
	execs uint32
}

// Register has p told as n says: EBUSY if a process is already.
func (q *Queue) Register(p Process, n Notice) error {
	execs := p.Execs()
	q.mu.Lock()
	if q.told != nil {
		q.mu.Unlock()
		return linux.EBUSY
	}
	q.told = &registration{n, p, execs}
	q.mu.Unlock()
	q.touch()
	return nil
}

// Deregister undoes p's Register, if it is p that is registered.
func (q *Queue) Deregister(p Process) {
	if q.forget(func(r *registration) bool { return r.to == p }) {
		q.touch()
	}
}

// forget removes the registration if it is one of those, which is asked without
// the lock.
func (q *Queue) forget(those func(*registration) bool) bool {
	q.mu.Lock()
	r := q.told
	q.mu.Unlock()
	if r == nil || !those(r) {
		return false
	}
	q.mu.Lock()
	mine := q.told == r
	if mine {
		q.told = nil
	}
	q.mu.Unlock()
	if mine && r.Kind == linux.SIGEV_THREAD {
		r.put(notifyRemoved)
	}
	return mine
}

// fire tells the process of a message that by sent.
func (r *registration) fire(by vfs.Job) {
	switch r.Kind {
	case linux.SIGEV_SIGNAL:
		// A program that the process runs by now does not expect it.
		if r.Signo == 0 || r.to.Execs() != r.execs {
			return
		}
		info := &linux.SigInfo{Signo: r.Signo, Code: linux.SI_MESGQ}
		info.SetValue(r.Value)
		r.to.SignalMessage(by, info)
	case linux.SIGEV_THREAD:
		r.put(notifyWokenUp)
	}
}

func (r *registration) put(why byte) {
	c := r.Cookie
	c[CookieLen-1] = why
	r.Socket.PutCookie(c[:])
}
