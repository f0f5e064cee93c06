package ipc

import (
	"cordon/internal/refs"
	"cordon/sentry/cred"
)

// IncRef and DecRef count who is in the namespace or keeps it: tasks, containers,
// files that stand for it. The last DecRef ends it: what it has goes, as far as
// nobody has it mapped or open. Who makes a namespace has a reference.
func (ns *Namespace) IncRef() { ns.refs.Add(1) }

// TryIncRef is IncRef for one who holds no reference; false when it has ended.
func (ns *Namespace) TryIncRef() bool { return refs.Try(&ns.refs) }

// DecRef undoes an IncRef. No lock is held.
func (ns *Namespace) DecRef() {
	if ns.refs.Add(-1) == 0 {
		ns.end()
	}
}

func (ns *Namespace) end() {
	if ns.posix != nil {
		ns.posix.End()
	}
	for _, s := range ns.Shm.All() {
		s.mu.Lock()
		s.dest = true
		last := s.attached == 0 && !s.removed
		if last {
			s.removed = true
		}
		s.mu.Unlock()
		if last {
			s.destroy()
		}
	}
	for _, s := range ns.Sem.All() {
		ns.Sem.drop(s)
	}
	for _, q := range ns.Msg.All() {
		ns.Msg.drop(q)
	}
}

// A Posix is what keeps the POSIX message queues of a namespace: the file system
// mqueue.
type Posix interface {
	// End is called when the namespace ends.
	End()
}

// SetPosix says what keeps the POSIX message queues, before anybody is in ns.
func (ns *Namespace) SetPosix(p Posix) { ns.posix = p }

// Posix returns what keeps the POSIX message queues, nil for none.
func (ns *Namespace) Posix() Posix { return ns.posix }

// SetOwner says who made ns, before anybody is in it: nobody is the sandbox itself.
func (ns *Namespace) SetOwner(c *cred.Credentials, user *cred.UserNamespace) {
	ns.uid, ns.gid, ns.user = c.FSUID, c.FSGID, user
}

// Owner returns who made ns.
func (ns *Namespace) Owner() (uid, gid uint32, user *cred.UserNamespace) {
	return ns.uid, ns.gid, ns.user
}
