package vfs

import (
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/wait"
)

// A SignalTarget is whom F_SETOWN names. task implements it.
type SignalTarget interface {
	// SendIO delivers sig for an event on a file (fcntl(2), F_SETSIG): 0
	// means SIGIO without more. band is poll(2)'s events.
	SendIO(sig linux.Signal, fd linux.FD, band wait.Events)
	// Owner is what F_GETOWN_EX shows.
	Owner() linux.FOwnerEx
}

// An owner is who gets the signals of a description.
type owner struct {
	target SignalTarget
	sig    linux.Signal
	fd     linux.FD
}

// ownerBox keeps a description's owner.
type ownerBox struct {
	who atomic.Pointer[owner]
	on  atomic.Bool // O_ASYNC works through entry

	mu lock.Mutex[lock.File]
	// guarded by mu
	entry *wait.Entry
}

// SetOwner is F_SETOWN and F_SETOWN_EX; nil means nobody.
func (d *Description) SetOwner(t SignalTarget) { d.changeOwner(func(o *owner) { o.target = t }) }

// SetSignal is F_SETSIG. fd is what the signal's si_fd will say.
func (d *Description) SetSignal(sig linux.Signal, fd linux.FD) {
	d.changeOwner(func(o *owner) { o.sig, o.fd = sig, fd })
}

func (d *Description) changeOwner(change func(*owner)) {
	for {
		old := d.owner.who.Load()
		n := &owner{}
		if old != nil {
			*n = *old
		}
		change(n)
		if d.owner.who.CompareAndSwap(old, n) {
			return
		}
	}
}

// Owner returns what SetOwner and SetSignal set.
func (d *Description) Owner() (SignalTarget, linux.Signal) {
	o := d.owner.who.Load()
	if o == nil {
		return nil, 0
	}
	return o.target, o.sig
}

// setAsync turns O_ASYNC on or off. As in Linux, files that cannot be waited
// for accept the flag and send nothing.
func (d *Description) setAsync(on bool) error {
	q := d.Queue()
	if q == nil {
		return nil
	}
	b := &d.owner
	b.mu.Lock()
	defer b.mu.Unlock()
	if on == (b.entry != nil) {
		return nil
	}
	if !on {
		q.Remove(b.entry)
		b.entry = nil
		b.on.Store(false)
		return nil
	}
	b.entry = &wait.Entry{
		Mask: wait.In | wait.Out | wait.Pri | wait.Err | wait.Hup,
		Callback: func(_ *wait.Entry, ready wait.Events) {
			if o := b.who.Load(); o != nil && o.target != nil {
				o.target.SendIO(o.sig, o.fd, ready)
			}
		},
	}
	q.Add(b.entry)
	b.on.Store(true)
	return nil
}
