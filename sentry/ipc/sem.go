package ipc

import (
	"slices"

	"cordon/internal/linux"
	"cordon/sentry/wait"
)

// A SemSet is a set of semaphores.
type SemSet struct {
	// immutable
	perm
	ns    *Namespace
	queue wait.Queue

	// guarded by perm.mu
	sems      []semaphore
	otime     int64
	undos     map[*Undo]*adjustments
	undosMade uint64
	waiting   map[*SemOp]struct{} // operations that could not be done
}

type semaphore struct {
	value int32
	pid   int32 // of the last operation
}

// SemGet is semget(2).
func (ns *Namespace) SemGet(c *Caller, key, n int32, flags linux.IPCFlags) (int32, error) {
	if n < 0 || uint64(n) > min(ns.Limit(SemMSL), maxSems) {
		return -1, linux.EINVAL
	}
	return ns.Sem.get(c, key, flags, func(s *SemSet) error {
		if int(n) > len(s.sems) {
			return linux.EINVAL
		}
		return nil
	}, func() (*SemSet, error) {
		if n == 0 {
			return nil, linux.EINVAL
		}
		if ns.semsLocked()+uint64(n) > ns.Limit(SemMNS) {
			return nil, linux.ENOSPC
		}
		return &SemSet{ns: ns, sems: make([]semaphore, n)}, nil
	})
}

// A SemOp is one call of semop(2) that may have to wait:
//
//	op, err := ns.NewSemOp(c, id, ops, undo)
//	... err = op.Try() until it is not EAGAIN, sleeping on op.Queue() ...
//	op.End()
type SemOp struct {
	// immutable
	set  *SemSet
	who  Caller
	ops  []linux.Sembuf
	undo *Undo

	// guarded by set.mu
	num  uint16 // the semaphore that it waits for
	zero bool   // to become zero
	now  bool   // IPC_NOWAIT
}

// NewSemOp checks a call of semop(2). It keeps ops. undo may be nil if no
// operation has SEM_UNDO.
func (ns *Namespace) NewSemOp(c *Caller, id int32, ops []linux.Sembuf, undo *Undo) (*SemOp, error) {
	if len(ops) < 1 || id < 0 {
		return nil, linux.EINVAL
	}
	if uint64(len(ops)) > ns.OpsMax() {
		return nil, linux.E2BIG
	}
	s, err := ns.Sem.find(id)
	if err != nil {
		return nil, err
	}
	want := linux.FileMode(0o444)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range ops {
		if int(o.Num) >= len(s.sems) {
			return nil, linux.EFBIG
		}
		if o.Op != 0 {
			want = 0o222
		}
	}
	if err := s.checkLocked(c, want); err != nil {
		return nil, err
	}
	return &SemOp{set: s, who: *c, ops: ops, undo: undo}, nil
}

// Queue is notified when Try may succeed.
func (o *SemOp) Queue() *wait.Queue { return &o.set.queue }

// NoWait reports, after Try was EAGAIN, whether that is the result.
func (o *SemOp) NoWait() bool { return o.now }

// Try does all operations or none. EAGAIN: it has to wait.
func (o *SemOp) Try() error {
	s := o.set
	s.mu.Lock()
	if s.removed {
		s.mu.Unlock()
		return linux.EIDRM
	}
	changed, err := o.tryLocked()
	switch {
	case err == linux.EAGAIN && !o.now:
		if s.waiting == nil {
			s.waiting = map[*SemOp]struct{}{}
		}
		s.waiting[o] = struct{}{}
	default:
		delete(s.waiting, o)
	}
	s.mu.Unlock()
	if changed {
		s.queue.Notify(wait.Internal)
	}
	return err
}

// End takes o off the waiting, when its caller gives up.
func (o *SemOp) End() {
	o.set.mu.Lock()
	defer o.set.mu.Unlock()
	delete(o.set.waiting, o)
}

func (o *SemOp) tryLocked() (changed bool, err error) {
	s := o.set
	var adj []int16
	done := 0
	for i, op := range o.ops {
		sem := &s.sems[op.Num]
		v := sem.value + int32(op.Op)
		switch {
		case op.Op == 0 && sem.value != 0, v < 0:
			err = linux.EAGAIN
			o.num, o.zero, o.now = op.Num, op.Op == 0, linux.IPCFlags(op.Flg)&linux.IPC_NOWAIT != 0
		case v > linux.SEMVMX:
			err = linux.ERANGE
		case op.Flg&linux.SEM_UNDO != 0 && o.undo != nil:
			if adj == nil {
				adj = s.adjustmentsLocked(o.undo)
			}
			if a := int32(adj[op.Num]) - int32(op.Op); a < -linux.SEMAEM-1 || a > linux.SEMAEM {
				err = linux.ERANGE
			} else {
				adj[op.Num] = int16(a)
			}
		}
		if err != nil {
			break
		}
		sem.value = v
		done = i + 1
	}
	if err != nil {
		o.revertLocked(adj, done)
		return false, err
	}
	for _, op := range o.ops {
		s.sems[op.Num].pid = o.who.PID
		changed = changed || op.Op != 0
	}
	s.otime = o.who.Now
	return changed, nil
}

func (o *SemOp) revertLocked(adj []int16, done int) {
	for _, op := range slices.Backward(o.ops[:done]) {
		o.set.sems[op.Num].value -= int32(op.Op)
		if op.Flg&linux.SEM_UNDO != 0 && adj != nil {
			adj[op.Num] += op.Op
		}
	}
}

// withSet finds set id, checks permission and calls fn with it locked.
func (ns *Namespace) withSet(c *Caller, id int32, want linux.FileMode, fn func(s *SemSet) error) error {
	s, err := ns.Sem.find(id)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if want != 0 {
		if err := s.checkLocked(c, want); err != nil {
			return err
		}
	}
	return fn(s)
}

// SemValue is GETVAL, GETPID, GETNCNT and GETZCNT.
func (ns *Namespace) SemValue(c *Caller, id, num int32, cmd linux.IPCCmd) (v int32, err error) {
	err = ns.withSet(c, id, 0o444, func(s *SemSet) error {
		if num < 0 || int(num) >= len(s.sems) {
			return linux.EINVAL
		}
		switch cmd {
		case linux.GETVAL:
			v = s.sems[num].value
		case linux.GETPID:
			v = s.sems[num].pid
		case linux.GETNCNT, linux.GETZCNT:
			for o := range s.waiting {
				if int32(o.num) == num && o.zero == (cmd == linux.GETZCNT) {
					v++
				}
			}
		default:
			return linux.EINVAL
		}
		return nil
	})
	return v, err
}

// SemValues is GETALL.
func (ns *Namespace) SemValues(c *Caller, id int32) (vs []uint16, err error) {
	err = ns.withSet(c, id, 0o444, func(s *SemSet) error {
		for _, sem := range s.sems {
			vs = append(vs, uint16(sem.value))
		}
		return nil
	})
	return vs, err
}

// SemSetValue is SETVAL.
func (ns *Namespace) SemSetValue(c *Caller, id, num, v int32) error {
	if v < 0 || v > linux.SEMVMX {
		return linux.ERANGE
	}
	return ns.setValues(c, id, func(s *SemSet) error {
		if num < 0 || int(num) >= len(s.sems) {
			return linux.EINVAL
		}
		s.sems[num] = semaphore{v, c.PID}
		for _, adj := range s.undos {
			adj.by[num] = 0
		}
		return nil
	})
}

// SemSetValues is SETALL. load reads the values once their number is known.
func (ns *Namespace) SemSetValues(c *Caller, id int32, load func(n int) ([]uint16, error)) error {
	n := 0
	if err := ns.withSet(c, id, 0o222, func(s *SemSet) error { n = len(s.sems); return nil }); err != nil {
		return err
	}
	vs, err := load(n)
	if err != nil {
		return err
	}
	for _, v := range vs {
		if v > linux.SEMVMX {
			return linux.ERANGE
		}
	}
	return ns.setValues(c, id, func(s *SemSet) error {
		for i := range s.sems {
			s.sems[i] = semaphore{int32(vs[i]), c.PID}
		}
		for _, adj := range s.undos {
			clear(adj.by)
		}
		return nil
	})
}

func (ns *Namespace) setValues(c *Caller, id int32, fn func(s *SemSet) error) error {
	var set *SemSet
	err := ns.withSet(c, id, 0o222, func(s *SemSet) error {
		set = s
		if err := fn(s); err != nil {
			return err
		}
		s.ctime = c.Now
		return nil
	})
	if err == nil {
		set.queue.Notify(wait.Internal)
	}
	return err
}

// SemStat is IPC_STAT, SEM_STAT and, with any, SEM_STAT_ANY.
func (ns *Namespace) SemStat(c *Caller, id int32, any bool) (d linux.SemidDS, err error) {
	want := linux.FileMode(0o444)
	if any {
		want = 0
	}
	err = ns.withSet(c, id, want, func(s *SemSet) error { d = s.statLocked(); return nil })
	return d, err
}

func (s *SemSet) statLocked() linux.SemidDS {
	return linux.SemidDS{Perm: s.imageLocked(), Otime: s.otime, Ctime: s.ctime, Nsems: uint64(len(s.sems))}
}

// Stat is what IPC_STAT shows, for /proc/sysvipc/sem.
func (s *SemSet) Stat() linux.SemidDS {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.statLocked()
}

// SemSet is IPC_SET.
func (ns *Namespace) SemSet(c *Caller, id int32, to *linux.IPCPerm) error {
	return ns.withSet(c, id, 0, func(s *SemSet) error {
		if err := s.ownerLocked(c); err != nil {
			return err
		}
		s.setLocked(c, to)
		return nil
	})
}

// SemRemove is IPC_RMID.
func (ns *Namespace) SemRemove(c *Caller, id int32) error {
	var set *SemSet
	err := ns.withSet(c, id, 0, func(s *SemSet) error {
		if err := s.ownerLocked(c); err != nil {
			return err
		}
		s.removed = true
		set = s
		for u := range s.undos {
			u.forget(s)
		}
		clear(s.undos)
		return nil
	})
	if err != nil {
		return err
	}
	ns.Sem.drop(set)
	set.queue.Notify(wait.Internal)
	return nil
}
