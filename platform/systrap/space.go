package systrap

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/stub"
)

// An AddressSpace is a stub process. Its first thread, the leader, carries out
// orders: host calls whose arguments stand in a page that the stub can only read.
// The host's own rules keep the promise of Apply: munmap and mprotect have reached
// every processor when they return, whichever thread of the process calls them.
type AddressSpace struct {
	// immutable
	p      *Platform
	pid    int32
	pidfd  int
	orders []byte   // the page of orders
	words  []uint32 // platform.FlagKeeper
	first  *thread
	page   int32 // its place in the control file

	// guarded by applyMu: the leader, and where mappings are.
	applyMu sync.Mutex
	mapped  stub.Spans
	cpu     int      // where the leader is bound
	near    *Context // the context that Apply works for, or nil

	// guarded by mu
	mu       sync.Mutex
	idle     []*thread
	slots    []int32 // control slots of all threads
	tids     []int32 // the threads
	bound    int     // contexts with a thread here
	released bool    // nobody may use it any more
	buried   bool    // the process has ended

	// atomic
	dead atomic.Bool // the process has ended
}

// A thread is a host thread of a stub and its slot.
type thread struct {
	slot    []byte
	h       *header
	address uint64 // of the slot in the stub
	tid     int32
}

// leaderPatience bounds, in nanoseconds, how long the Sentry waits for a leader
// before it looks whether it is alive.
const leaderPatience = 100e6

var _ platform.AddressSpace = (*AddressSpace)(nil)

// newAddressSpace makes a stub with one thread.
func (p *Platform) newAddressSpace() (*AddressSpace, unix.Errno) {
	page, ok := p.control.take()
	if !ok {
		return nil, unix.ENOMEM
	}
	orders := p.control.slot(page)[:pageSize]
	binary.LittleEndian.PutUint64(orders[opsDone:], 1)
	binary.LittleEndian.PutUint64(orders[opsFailed:], uint64(unix.ENOMEM))
	binary.LittleEndian.PutUint64(orders[opsDenied:], uint64(unix.EACCES))
	pid, errno := p.zygote.Fork(uint32(page))
	if errno != 0 {
		p.control.drop(page)
		return nil, errno
	}
	fd, err := unix.PidfdOpen(int(pid), 0)
	if err != nil {
		unix.Kill(int(pid), unix.SIGKILL)
		return nil, err.(unix.Errno)
	}
	as := &AddressSpace{p: p, pid: pid, pidfd: fd, orders: orders, words: wordsOf(p.control.slot(page)), page: page, cpu: -1}
	t, errno := as.newThread()
	if errno != 0 {
		as.Release()
		return nil, errno
	}
	as.first = t
	as.idle = append(as.idle, t)
	return as, 0
}

// newThread makes a host thread, which waits for the Sentry's first command.
func (as *AddressSpace) newThread() (*thread, unix.Errno) {
	n, ok := as.p.control.take()
	if !ok {
		return nil, unix.ENOMEM
	}
	as.mu.Lock()
	index := len(as.slots)
	if index == maxSlots || as.released {
		as.mu.Unlock()
		as.p.control.drop(n)
		return nil, unix.EAGAIN
	}
	as.slots = append(as.slots, n)
	as.mu.Unlock()
	t := &thread{slot: as.p.control.slot(n), address: slotAddress + uint64(index)*slotSize}
	t.h = headerOf(t.slot)
	h := t.h
	h.self = t.address + slotHeader
	h.turn = 1
	h.stack.sp, h.stack.size = t.address+slotStack, stackSize
	const shared = unix.MAP_SHARED | unix.MAP_FIXED
	offset := uint64(n) * slotSize
	as.applyMu.Lock()
	errno := as.obeyLocked([]order{
		{number: unix.SYS_MMAP, args: [6]uint64{t.address, slotHeader, unix.PROT_READ, shared, controlDescriptor, offset}},
		{number: unix.SYS_MMAP, args: [6]uint64{t.address + slotHeader, slotSize - slotHeader, unix.PROT_READ | unix.PROT_WRITE,
			shared, controlDescriptor, offset + slotHeader}},
		{number: unix.SYS_CLONE, args: [6]uint64{threadFlags, 0, t.address + slotHeader + headerTID, 0, 0, t.address}},
	})
	as.applyMu.Unlock()
	if errno != 0 {
		return nil, errno // the slot stays taken until the stub has gone
	}
	// Another guest thread may have written there: it has to be a thread of this
	// stub, and which one is the guest's business.
	t.tid = h.threadID()
	if stub.Tgkill(as.pid, t.tid, 0) != 0 {
		return nil, unix.ESRCH
	}
	as.mu.Lock()
	as.tids = append(as.tids, t.tid)
	as.mu.Unlock()
	return t, 0
}

// obeyLocked has the leader make host calls. It is ENOMEM or EACCES when one
// fails, ESRCH when the stub is dead.
func (as *AddressSpace) obeyLocked(orders []order) unix.Errno {
	for len(orders) > 0 {
		n := min(len(orders), maxOrders)
		if errno := as.obeySomeLocked(orders[:n]); errno != 0 {
			return errno
		}
		orders = orders[n:]
	}
	return 0
}

func (as *AddressSpace) obeySomeLocked(orders []order) unix.Errno {
	if as.dead.Load() {
		return unix.ESRCH
	}
	rep, errno := as.p.reports.take(as.p.zygote)
	if errno != 0 {
		return errno
	}
	le := binary.LittleEndian
	for i := range orders {
		o := &orders[i]
		e := as.orders[opsList+opsEntry*i:][:opsEntry]
		le.PutUint64(e, o.number)
		for k, v := range o.args {
			le.PutUint64(e[8+8*k:], v)
		}
		le.PutUint64(e[56:], 0)
		if o.advice {
			e[56] = 1
		}
	}
	le.PutUint32(as.orders[opsCount:], uint32(len(orders)))
	le.PutUint32(as.orders[opsReport:], rep.theirs)
	result := as.beckonLocked(rep.fd)
	for result == 0 && !as.gone(0) {
		result = awaitReport(rep.fd, leaderPatience)
	}
	// Nobody else can write to the eventfd: it is clean, if the stub has gone too.
	as.p.reports.drop(rep)
	switch result {
	case 0:
		return unix.ESRCH
	case 1:
		return 0
	}
	return unix.Errno(result)
}

// Of a leader that is near a guest of a group: how often it looks for further orders
// before it sleeps, and how often the Sentry looks whether it has done them.
const (
	leaderLooks = 6
	doneLooks   = 1000
)

// beckonLocked has the leader begin, on the CPU where that is soonest, and returns its
// report, or 0 when the caller has to wait for that.
//
// While the guest of an owner in a group looks for its answer, the leader is on the
// guest's CPU, which the guest yields to it. It looks for the next orders each time
// that happens. Else it is on the owner's, who is about to sleep.
func (as *AddressSpace) beckonLocked(report int) uint64 {
	c, cpu, apart := as.near, -1, false
	if c != nil {
		cpu, apart = c.p.place.Near(&c.place)
		apart = apart && c.t.h.looks()
	}
	if cpu < 0 {
		cpu = stub.CurrentCPU()
	}
	if cpu != as.cpu {
		stub.SetAffinity(as.pid, cpu)
		as.cpu = cpu
	}
	if !apart {
		as.setLooks(0)
		command(as.orders)
		wakeLeader(as.orders)
		return 0
	}
	looked := as.setLooks(leaderLooks)
	list := command(as.orders)
	c.t.h.press()
	if !looked || as.first.h.leaderSleeps() {
		wakeLeader(as.orders)
	}
	result := uint64(0)
	if as.first.h.awaitHint(list, doneLooks) {
		result = readReport(report)
	}
	c.t.h.relax()
	if result == 0 {
		wakeLeader(as.orders) // it may sleep whatever the hints say
	}
	return result
}

// setLooks says how often the leader is to look from its next orders on, and returns
// whether it was to look before.
func (as *AddressSpace) setLooks(n uint32) bool {
	le := binary.LittleEndian
	before := le.Uint32(as.orders[opsLooks:])
	if before != n {
		le.PutUint32(as.orders[opsLooks:], n)
	}
	return before != 0
}

// gone says whether the stub has ended, waiting so many milliseconds for it; a
// negative number means until it has.
func (as *AddressSpace) gone(milliseconds int) bool {
	if as.dead.Load() {
		return true
	}
	fds := []unix.PollFd{{Fd: int32(as.pidfd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, milliseconds)
		if err == unix.EINTR {
			continue
		}
		if n == 1 {
			as.dead.Store(true)
		}
		return n == 1
	}
}

// thread returns a waiting thread for a context, making one if there is none.
func (as *AddressSpace) thread() (*thread, unix.Errno) {
	as.mu.Lock()
	if as.released {
		as.mu.Unlock()
		return nil, unix.ESRCH
	}
	as.bound++
	if n := len(as.idle); n > 0 {
		t := as.idle[n-1]
		as.idle = as.idle[:n-1]
		as.mu.Unlock()
		return t, 0
	}
	as.mu.Unlock()
	t, errno := as.newThread()
	if errno != 0 {
		as.leave(nil)
	}
	return t, errno
}

// leave says that a context has no thread here any more. The thread, if not nil,
// waits and can be another's.
func (as *AddressSpace) leave(t *thread) {
	as.mu.Lock()
	defer as.mu.Unlock()
	as.bound--
	if t != nil && !as.released {
		as.idle = append(as.idle, t)
	}
	as.freeLocked()
}

// freeLocked gives the slots back when the stub has gone and no context looks at
// one.
func (as *AddressSpace) freeLocked() {
	if !as.buried || as.bound != 0 || as.slots == nil {
		return
	}
	as.p.control.drop(as.slots...)
	as.slots = nil
}

// AnswerWakes implements platform.WakeAnswerer.
func (as *AddressSpace) AnswerWakes(on bool) {
	as.mu.Lock()
	defer as.mu.Unlock()
	if !as.released { // the page may be another's by then
		setWakes(as.orders, on)
	}
}

// FlagWords implements platform.FlagKeeper.
func (as *AddressSpace) FlagWords() []uint32 { return as.words }

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

// Reusable implements platform.Reusable.
func (as *AddressSpace) Reusable() bool {
	as.mu.Lock()
	defer as.mu.Unlock()
	return len(as.slots) == 1 && !as.released && !as.dead.Load()
}

// Apply implements platform.AddressSpace.
func (as *AddressSpace) Apply(pc platform.Context, ops []platform.Op) linux.Errno {
	for i := range ops {
		if !stub.ValidOp(&ops[i], minAddress, maxAddress) {
			return linux.EINVAL
		}
	}
	as.applyMu.Lock()
	defer as.applyMu.Unlock()
	if as.dead.Load() {
		return linux.ESRCH
	}
	if c, ok := pc.(*Context); ok && c != nil && c.t != nil {
		as.near = c
		defer func() { as.near = nil }()
	}
	var buf [16]order
	orders := buf[:0]
	for i := 0; i < len(ops); {
		op := ops[i]
		i++
		for i < len(ops) && stub.ExtendOp(&op, &ops[i]) {
			i++
		}
		var errno unix.Errno
		if orders, errno = as.orderLocked(orders, &op); errno != 0 {
			return linux.Errno(errno)
		}
	}
	if errno := as.obeyLocked(orders); errno != 0 {
		return linux.Errno(errno)
	}
	return 0
}

// orderLocked adds the host calls for op. What is mapped is noted at once: after
// a failure there may be less, which costs a host call that does nothing.
func (as *AddressSpace) orderLocked(orders []order, op *platform.Op) ([]order, unix.Errno) {
	switch op.Kind {
	case platform.OpMap:
		fd, errno := as.p.zygote.Descriptor(op.File)
		if errno != 0 {
			return orders, errno
		}
		flags := uint64(unix.MAP_SHARED | unix.MAP_FIXED)
		if op.Flags&platform.Populate != 0 {
			flags |= unix.MAP_POPULATE
		}
		as.mapped.Add(op.Addr, op.Addr+op.Len)
		orders = append(orders, order{number: unix.SYS_MMAP, args: [6]uint64{op.Addr, op.Len, uint64(op.Prot), flags, uint64(fd), op.Offset}})
		if op.Flags&platform.Huge != 0 {
			// Only advice: a file that cannot have huge pages says EINVAL.
			orders = append(orders, order{number: unix.SYS_MADVISE, args: [6]uint64{op.Addr, op.Len, unix.MADV_HUGEPAGE}, advice: true})
		}
	case platform.OpUnmap, platform.OpReserve:
		end := op.Addr + op.Len
		if part, ok := as.mapped.Next(op.Addr, end); ok {
			as.mapped.Remove(part.Start, end)
			orders = append(orders, order{number: unix.SYS_MUNMAP, args: [6]uint64{part.Start, end - part.Start}})
		}
	case platform.OpProtect:
		end := op.Addr + op.Len
		for at := op.Addr; at < end; {
			part, ok := as.mapped.Next(at, end)
			if !ok {
				break
			}
			orders = append(orders, order{number: unix.SYS_MPROTECT, args: [6]uint64{part.Start, part.End - part.Start, uint64(op.Prot)}})
			at = part.End
		}
	default:
		return orders, unix.EINVAL
	}
	return orders, 0
}
