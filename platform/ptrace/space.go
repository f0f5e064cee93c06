package ptrace

import (
	"sync"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/stub"
)

// An AddressSpace is a stub process. Its first thread stands stopped under the
// leader's thread; each guest thread has another thread of the stub, which its
// context traces. The host's own rules keep the promise of Apply: munmap and
// mprotect have reached every processor when they return, whichever thread of
// the process calls them.
type AddressSpace struct {
	// immutable
	p   *Platform
	pid int32

	// guarded by applyMu: the order of host calls, and where mappings are.
	applyMu sync.Mutex
	mapped  stub.Spans

	// guarded by mu
	mu       sync.Mutex
	idle     []idleThread
	bound    int // contexts with a thread here
	released bool
}

// An idleThread parks in a stub, traced by nobody.
type idleThread struct {
	tid  int32
	used bool // has run guest code: its extended state is not the initial one
}

// maxIdle is how many parked threads an address space keeps.
const maxIdle = 8

var _ platform.AddressSpace = (*AddressSpace)(nil)

// Apply implements platform.AddressSpace. With the caller's own context the
// calls are injected into its thread, else into the stub's first.
func (as *AddressSpace) Apply(pc platform.Context, ops []platform.Op) linux.Errno {
	for i := range ops {
		if !stub.ValidOp(&ops[i], minAddress, maxAddress) {
			return linux.EINVAL
		}
	}
	as.applyMu.Lock()
	defer as.applyMu.Unlock()
	if c, ok := pc.(*Context); ok && c != nil && c.as == as && c.tid != 0 {
		c.dirty = true
		return as.applyLocked(c.tid, ops)
	}
	errno := linux.ESRCH
	as.p.leader.do(func() {
		if !as.isReleased() {
			as.p.leader.beside(as.pid, func() { errno = as.applyLocked(as.pid, ops) })
		}
	})
	return errno
}

// applyLocked performs ops through the stopped thread tid, which the calling
// thread traces.
func (as *AddressSpace) applyLocked(tid int32, ops []platform.Op) linux.Errno {
	for i := 0; i < len(ops); {
		op := ops[i]
		i++
		for i < len(ops) && stub.ExtendOp(&op, &ops[i]) {
			i++
		}
		var errno unix.Errno
		switch op.Kind {
		case platform.OpMap:
			errno = as.mapLocked(tid, &op)
		case platform.OpUnmap, platform.OpReserve:
			errno = as.unmapLocked(tid, op.Addr, op.Addr+op.Len)
		case platform.OpProtect:
			errno = as.protectLocked(tid, &op)
		default:
			return linux.EINVAL
		}
		if errno != 0 {
			return hostErrno(errno)
		}
	}
	return 0
}

func (as *AddressSpace) mapLocked(tid int32, op *platform.Op) unix.Errno {
	fd, errno := as.p.zygote.Descriptor(op.File)
	if errno != 0 {
		return errno
	}
	flags := uint64(unix.MAP_SHARED | unix.MAP_FIXED)
	if op.Flags&platform.Populate != 0 {
		flags |= unix.MAP_POPULATE
	}
	// MAP_FIXED takes away what was there even when it fails.
	as.mapped.Remove(op.Addr, op.Addr+op.Len)
	_, errno = inject(tid, stubAddress+offInject, unix.SYS_MMAP,
		[6]uint64{op.Addr, op.Len, uint64(op.Prot), flags, uint64(fd), op.Offset})
	if errno != 0 {
		return errno
	}
	as.mapped.Add(op.Addr, op.Addr+op.Len)
	if op.Flags&platform.Huge != 0 {
		// Only advice: a file that cannot have huge pages says EINVAL.
		inject(tid, stubAddress+offInject, unix.SYS_MADVISE, [6]uint64{op.Addr, op.Len, unix.MADV_HUGEPAGE})
	}
	return 0
}

// unmapLocked unmaps what is mapped in the range in one call, or none.
func (as *AddressSpace) unmapLocked(tid int32, start, end uint64) unix.Errno {
	part, ok := as.mapped.Next(start, end)
	if !ok {
		return 0
	}
	start = part.Start
	_, errno := inject(tid, stubAddress+offInject, unix.SYS_MUNMAP, [6]uint64{start, end - start})
	if errno == 0 {
		as.mapped.Remove(start, end)
	}
	return errno
}

func (as *AddressSpace) protectLocked(tid int32, op *platform.Op) unix.Errno {
	end := op.Addr + op.Len
	for at := op.Addr; at < end; {
		part, ok := as.mapped.Next(at, end)
		if !ok {
			break
		}
		_, errno := inject(tid, stubAddress+offInject, unix.SYS_MPROTECT,
			[6]uint64{part.Start, part.End - part.Start, uint64(op.Prot)})
		if errno != 0 {
			return errno
		}
		at = part.End
	}
	return 0
}

// hostErrno converts an error of an injected call.
func hostErrno(e unix.Errno) linux.Errno { return linux.Errno(e) }

// CPUTime implements platform.Clocked.
func (as *AddressSpace) CPUTime() (ns int64, ok bool) {
	as.mu.Lock()
	defer as.mu.Unlock()
	if as.released { // the number may be another process's by then
		return 0, false
	}
	ns, errno := stub.ProcessTime(as.pid)
	return ns, errno == 0
}

func (as *AddressSpace) isReleased() bool {
	as.mu.Lock()
	defer as.mu.Unlock()
	return as.released
}

// thread returns a parked thread for a context, making one if there is none.
func (as *AddressSpace) thread() (idleThread, unix.Errno) {
	as.mu.Lock()
	if as.released {
		as.mu.Unlock()
		return idleThread{}, unix.ESRCH
	}
	as.bound++
	if n := len(as.idle); n > 0 {
		t := as.idle[n-1]
		as.idle = as.idle[:n-1]
		as.mu.Unlock()
		return t, 0
	}
	as.mu.Unlock()
	t, errno := idleThread{}, unix.ESRCH
	as.p.leader.do(func() {
		// The release of an address space waits for the leader too, so the
		// stub cannot be gone and its pid another's.
		if !as.isReleased() {
			t.tid, errno = as.p.leader.newThread(as.pid)
		}
	})
	if errno != 0 {
		as.leave(nil)
	}
	return t, errno
}

// leave says that a context has no thread here any more. The thread, if not
// nil, is parked for another one.
func (as *AddressSpace) leave(t *idleThread) {
	as.mu.Lock()
	as.bound--
	if t != nil && !as.released {
		as.idle = append(as.idle, *t)
	}
	last := as.released && as.bound == 0
	as.mu.Unlock()
	if last {
		// The first thread of a stub that was killed from outside can be
		// waited for now.
		as.p.leader.post(func() { pollThread(as.pid) })
	}
}

// wantsIdle says whether a thread is worth keeping.
func (as *AddressSpace) wantsIdle() bool {
	as.mu.Lock()
	defer as.mu.Unlock()
	return !as.released && len(as.idle) < maxIdle
}

// Release implements platform.AddressSpace. The stub is killed; nothing of it
// runs guest code by then, and nothing will.
func (as *AddressSpace) Release() {
	as.applyMu.Lock()
	defer as.applyMu.Unlock()
	as.mu.Lock()
	if as.released {
		as.mu.Unlock()
		return
	}
	as.released = true
	as.idle = nil
	as.mapped.Clear()
	as.mu.Unlock()
	as.p.leader.post(func() { as.p.leader.drop(as.pid) })
}
