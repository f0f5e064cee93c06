package task

import (
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/sentry/bpf"
)

// A Filter is one seccomp(2) filter of a task, in a list with those that were
// installed before it. Tasks share the list's tail with the tasks they come
// from; nothing of a filter ever changes but its cache.
//
// What the list says about a call is kept per number, if it says so without
// looking at more than number and architecture, so that an allowed call costs
// two loads. Nothing is logged, as by a kernel without an audit log.
type Filter struct {
	// immutable
	prev    *Filter
	prog    *bpf.Program // nil: strict mode
	nnp     bool         // whoever installed it had no_new_privs
	insns   int          // of the whole list, with Linux's surcharge
	filters int
	// listener is that of the list; the filter that ownsListener asks it.
	listener     *Listener
	ownsListener bool

	// atomic
	cache [cachedCalls]atomic.Uint64
}

// cachedCalls covers all numbers of the pinned version.
const cachedCalls = 512

// What a cache entry says beside the verdict in its low half; 0 is unknown.
const (
	cacheKnown   = 1 << 32
	cacheDepends = 1 << 33 // on the arguments
)

const (
	// filterSurcharge is what Linux adds to each filter's length.
	filterSurcharge = 4
	// maxPathInsns is MAX_INSNS_PER_PATH.
	maxPathInsns = 32768
)

// maxFilterErrno is the highest error that a filter can have a call return.
const maxFilterErrno = 4095

// mode is as prctl(PR_GET_SECCOMP) shows it.
func (f *Filter) mode() int {
	switch {
	case f == nil:
		return linux.SECCOMP_MODE_DISABLED
	case f.prog == nil:
		return linux.SECCOMP_MODE_STRICT
	}
	return linux.SECCOMP_MODE_FILTER
}

// Seccomp returns a task's mode and how many filters it has.
func (t *Task) Seccomp() (mode, filters int) {
	f := t.seccomp.Load()
	if mode = f.mode(); mode == linux.SECCOMP_MODE_FILTER {
		filters = f.filters
	}
	return mode, filters
}

// push returns the list with one more filter, which has l as its listener unless that
// is nil.
func (f *Filter) push(p *bpf.Program, nnp bool, l *Listener) (*Filter, linux.Errno) {
	n := &Filter{prev: f, prog: p, nnp: nnp, filters: 1, insns: p.KernelLen(), listener: f.listens()}
	if l != nil {
		if n.listener != nil {
			return nil, linux.EBUSY
		}
		n.listener, n.ownsListener = l, true
	}
	if f != nil {
		n.filters = f.filters + 1
		n.insns += f.insns + filterSurcharge
	}
	if n.insns > maxPathInsns {
		return nil, linux.ENOMEM
	}
	return n, 0
}

// hasAncestor reports whether a is f or before it in the list.
func (f *Filter) hasAncestor(a *Filter) bool {
	for ; f != nil; f = f.prev {
		if f == a {
			return true
		}
	}
	return a == nil
}

// SetSeccompStrict is SECCOMP_SET_MODE_STRICT. Task-only.
func (t *Task) SetSeccompStrict() linux.Errno {
	if f := t.seccomp.Load(); f != nil && f.mode() != linux.SECCOMP_MODE_STRICT {
		return linux.EINVAL
	}
	t.seccomp.Store(&Filter{})
	t.withdrawFacts()
	return 0
}

// AddSeccompFilter is SECCOMP_SET_MODE_FILTER, all but reading the program and
// asking for the privilege; l is its listener, or nil. With SECCOMP_FILTER_FLAG_TSYNC, a thread that
// cannot be given the list is named. Task-only.
func (t *Task) AddSeccompFilter(p *bpf.Program, flags linux.SeccompFilterFlags, l *Listener) (thread int32, e linux.Errno) {
	s := t.sys
	// Under the tree's lock no thread is made, so that none is left out.
	s.tree.Lock()
	defer s.tree.Unlock()
	old := t.seccomp.Load()
	if old.mode() == linux.SECCOMP_MODE_STRICT {
		return 0, linux.EINVAL
	}
	f, e := old.push(p, t.Cred().NoNewPrivs, l)
	if e != 0 {
		return 0, e
	}
	if flags&linux.SECCOMP_FILTER_FLAG_TSYNC != 0 {
		for _, o := range t.group.tasks {
			if q := o.seccomp.Load(); o != t && o.exitState == alive && (q.mode() == linux.SECCOMP_MODE_STRICT || !old.hasAncestor(q)) {
				return o.TID(), 0
			}
		}
		for _, o := range t.group.tasks {
			if o != t && o.exitState == alive {
				o.setSeccomp(f)
			}
		}
	}
	t.setSeccomp(f)
	return 0, 0
}

// action is the part of a verdict that decides; the lowest one wins.
func action(verdict uint32) int32 { return int32(verdict & linux.SECCOMP_RET_ACTION_FULL) }

// verdict is what the list says about a call.
func (f *Filter) verdict(nr uint32, data func() *bpf.Call) uint32 {
	if nr < cachedCalls {
		e := f.cache[nr].Load()
		if e == 0 {
			e = f.constant(nr)
			f.cache[nr].Store(e)
		}
		if e&cacheKnown != 0 {
			return uint32(e)
		}
	}
	d := data()
	v := uint32(linux.SECCOMP_RET_ALLOW)
	for ; f != nil; f = f.prev {
		if r := f.prog.Run(d); action(r) < action(v) {
			v = r
		}
	}
	return v
}

// constant makes the cache's entry for a call.
func (f *Filter) constant(nr uint32) uint64 {
	if f.prog == nil {
		switch nr {
		case sysRead, sysWrite, sysExit, sysSigreturn:
			return cacheKnown | uint64(linux.SECCOMP_RET_ALLOW)
		}
		return cacheKnown | uint64(linux.SECCOMP_RET_KILL_THREAD)
	}
	v := uint32(linux.SECCOMP_RET_ALLOW)
	for ; f != nil; f = f.prev {
		r, ok := f.prog.RunKnown(nr, linux.AUDIT_ARCH_X86_64)
		if !ok {
			return cacheDepends
		}
		if action(r) < action(v) {
			v = r
		}
	}
	return cacheKnown | uint64(v)
}

// Calls of strict mode.
const (
	sysRead      = 0
	sysWrite     = 1
	sysSigreturn = 15
	sysExit      = 60
)

// allows reports whether the list lets a call pass whatever its arguments, so
// that the platform may answer it.
func (f *Filter) allows(nr uint32) bool {
	if f == nil {
		return true
	}
	e := f.constant(nr)
	return e&cacheKnown != 0 && action(uint32(e)) == action(uint32(linux.SECCOMP_RET_ALLOW))
}

// filterCall asks the task's filters about the call in its registers. It
// reports whether the call is to be made; if not, everything else is done. Asked says that
// the tracer has agreed to it already.
func (t *Task) filterCall(f *Filter, asked bool) (pass bool) {
	if f.nnp && !t.Cred().NoNewPrivs {
		// Another thread synchronised the filters; privileges go along.
		c := t.Cred().Clone()
		c.NoNewPrivs = true
		t.SetCred(c)
	}
	nr := uint32(t.callNumber)
	v := uint32(linux.SECCOMP_RET_KILL_THREAD)
	if f.prog != nil || nr < cachedCalls {
		v = f.verdict(nr, t.seccompData)
	}
	data := v & linux.SECCOMP_RET_DATA
	switch linux.SeccompAction(v & linux.SECCOMP_RET_ACTION_FULL) {
	case linux.SECCOMP_RET_ALLOW, linux.SECCOMP_RET_LOG:
		return true
	case linux.SECCOMP_RET_ERRNO:
		t.finishCall(0, linux.Errno(min(data, maxFilterErrno)))
	case linux.SECCOMP_RET_TRACE:
		if asked {
			return true
		}
		if handled, pass := t.traceFilter(data); handled {
			return pass && t.filterCall(f, true)
		}
		t.finishCall(0, linux.ENOSYS)
	case linux.SECCOMP_RET_USER_NOTIF:
		return t.askListener(f.deciding(v, t.seccompData()))
	case linux.SECCOMP_RET_TRAP:
		t.endFilteredCall()
		t.ForceSignal(t.seccompInfo(data))
	case linux.SECCOMP_RET_KILL_THREAD:
		t.endFilteredCall()
		if f.prog == nil || t.group.Count() > 1 {
			sig := linux.SIGSYS
			if f.prog == nil {
				sig = linux.SIGKILL
			}
			t.exitCode = linux.WaitSignaled(sig, false)
			t.runState = Exiting
			break
		}
		t.killBySeccomp(data)
	default:
		t.endFilteredCall()
		t.killBySeccomp(data)
	}
	return false
}

// endFilteredCall leaves the call's registers as they were.
func (t *Task) endFilteredCall() {
	t.call.Store(0)
	t.inSyscall = false
	t.complete()
	t.regs.RAX = uint64(t.callNumber)
}

// killBySeccomp ends the process by a SIGSYS that nothing catches.
func (t *Task) killBySeccomp(data uint32) {
	g := t.group
	g.mu.Lock()
	g.Actions().Set(linux.SIGSYS, linux.SigAction{})
	g.mu.Unlock()
	t.ForceSignal(t.seccompInfo(data))
}

func (t *Task) seccompInfo(data uint32) *linux.SigInfo {
	info := &linux.SigInfo{Signo: linux.SIGSYS, Code: linux.SYS_SECCOMP, Errno: int32(data)}
	info.SetCallAddr(t.regs.RIP)
	info.SetSyscall(int32(t.callNumber))
	info.SetArch(linux.AUDIT_ARCH_X86_64)
	return info
}

// seccompData is struct seccomp_data of the call in the registers.
func (t *Task) seccompData() *bpf.Call {
	t.complete()
	d := &bpf.Call{uint32(t.callNumber), linux.AUDIT_ARCH_X86_64, uint32(t.regs.RIP), uint32(t.regs.RIP >> 32)}
	for i, a := range t.args {
		d[4+2*i], d[5+2*i] = uint32(a), uint32(uint64(a)>>32)
	}
	return d
}
