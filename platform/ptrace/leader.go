package ptrace

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"cordon/platform/arch"
	"cordon/platform/stub"
)

// The leader is the one thread of the Sentry that traces the first thread of
// every stub. Those threads never run guest code and stand stopped for life, so
// there is always a thread in an address space into which calls can be injected,
// whatever its guest threads do. Everything here but the channel is used by that
// thread only, because a tracer is a thread.
type leader struct {
	// immutable
	p     *Platform
	want  int
	work  chan func()
	ready chan process
	done  chan struct{}

	// leader only: the stubs that have not been dropped.
	live map[int32]struct{}
}

// A process is a stub: one with a stopped first thread and one parked thread that
// nobody traces yet.
type process struct {
	pid, tid int32
	errno    unix.Errno
}

func newLeader(p *Platform, pool int) *leader {
	l := &leader{p: p, want: pool, work: make(chan func(), 64), ready: make(chan process, pool), done: make(chan struct{}), live: map[int32]struct{}{}}
	go l.run()
	return l
}

// run serves requests first and fills the pool when there are none.
func (l *leader) run() {
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and its stubs with it
	failed := false
	for {
		if failed || len(l.ready) == cap(l.ready) {
			f := <-l.work
			if f == nil {
				l.end()
				return
			}
			f()
			failed = false
			continue
		}
		select {
		case f := <-l.work:
			if f == nil {
				l.end()
				return
			}
			f()
		default:
			s := l.newStub()
			if failed = s.errno != 0; !failed {
				l.ready <- s
			}
		}
	}
}

// end kills every stub and waits until they have gone, as long as there is a
// zygote that they can be reaped through.
func (l *leader) end() {
	var pids []int32
	for pid := range l.live {
		pids = append(pids, pid)
		l.drop(pid)
	}
	for _, pid := range pids {
		for range endPolls {
			if unix.Kill(int(pid), 0) != nil {
				break
			}
			pollThread(pid)
			time.Sleep(time.Millisecond)
		}
	}
	close(l.done)
}

// endPolls bounds the milliseconds that end waits for a stub: a thread whose
// context nobody releases keeps its stub a zombie.
const endPolls = 200

// do runs f on the leader's thread and returns when it has run. It returns
// false when the platform has ended.
func (l *leader) do(f func()) bool {
	finished := make(chan struct{})
	select {
	case l.work <- func() { f(); close(finished) }:
	case <-l.done:
		return false
	}
	select {
	case <-finished:
		return true
	case <-l.done:
		return false
	}
}

// post runs f on the leader's thread some time.
func (l *leader) post(f func()) {
	select {
	case l.work <- f:
	case <-l.done:
	}
}

// stop ends the thread, and by PTRACE_O_EXITKILL every stub.
func (l *leader) stop() {
	select {
	case l.work <- nil:
	case <-l.done:
	}
	<-l.done
}

// take returns an unused stub.
func (l *leader) take() (process, unix.Errno) {
	select {
	case s := <-l.ready:
		// Wake the thread to refill, without waiting for it.
		select {
		case l.work <- func() {}:
		default:
		}
		return s, 0
	default:
	}
	var s process
	if !l.do(func() {
		select {
		case s = <-l.ready:
		default:
			s = l.newStub()
		}
	}) {
		return process{}, unix.ESRCH
	}
	return s, s.errno
}

// check makes sure that stubs can be made and traced, and asks for the size of
// the host's extended state.
func (l *leader) check() unix.Errno {
	s, errno := l.take()
	if errno != 0 {
		return errno
	}
	l.do(func() {
		l.p.xstateSize, errno = getXState(s.pid, make([]byte, maxXState))
		l.drop(s.pid)
	})
	return errno
}

// newStub forks a stub, stops its first thread for good and makes its first
// guest thread. Leader only.
func (l *leader) newStub() process {
	pid, errno := l.p.zygote.Fork(0)
	if errno != 0 {
		return process{errno: errno}
	}
	if errno := seize(pid); errno != 0 {
		unix.Kill(int(pid), unix.SIGKILL)
		return process{errno: errno}
	}
	l.live[pid] = struct{}{}
	tid, errno := l.newThread(pid)
	if errno != 0 {
		l.drop(pid)
		return process{errno: errno}
	}
	return process{pid: pid, tid: tid}
}

// newThread makes a parked thread in a stub. Leader only.
func (l *leader) newThread(pid int32) (tid int32, errno unix.Errno) {
	l.beside(pid, func() {
		var v uint64
		v, errno = inject(pid, stubAddress+offClone, unix.SYS_CLONE, [6]uint64{threadBits})
		tid = int32(v)
	})
	return tid, errno
}

// beside runs f, which injects calls into a stub's first thread, with both on one
// CPU, where a hand-over costs a fraction. Leader only.
func (l *leader) beside(pid int32, f func()) {
	cpu := stub.CurrentCPU()
	stub.SetAffinity(0, cpu)
	stub.SetAffinity(pid, cpu)
	f()
	stub.SetAffinitySet(0, l.p.cpus.All())
}

// drop kills a stub. A first thread that is stopped is let go and then has no
// tracer to wait for it; one that was killed from outside must be waited for,
// which succeeds once all the others have been. Leader only.
func (l *leader) drop(pid int32) {
	delete(l.live, pid)
	if ptrace(unix.PTRACE_DETACH, pid, 0, uintptr(unix.SIGKILL)) != 0 {
		unix.Kill(int(pid), unix.SIGKILL)
		pollThread(pid)
	}
}

// seize makes the calling thread the tracer of a parked thread and stops it.
func seize(tid int32) unix.Errno {
	const options = unix.PTRACE_O_EXITKILL | unix.PTRACE_O_TRACESYSGOOD
	if errno := ptrace(unix.PTRACE_SEIZE, tid, 0, options); errno != 0 {
		return errno
	}
	if errno := ptrace(unix.PTRACE_INTERRUPT, tid, 0, 0); errno != 0 {
		return errno
	}
	status, errno := waitThread(tid)
	if errno != 0 {
		return errno
	}
	if !status.Stopped() {
		return unix.ESRCH
	}
	return 0
}

// inject makes a stopped thread run one host call, entered at at, and returns
// its result. The thread's general registers are lost.
func inject(tid int32, at uint64, number uint64, args [6]uint64) (uint64, unix.Errno) {
	r := arch.Registers{
		RAX: number, RDI: args[0], RSI: args[1], RDX: args[2], R10: args[3], R8: args[4], R9: args[5],
		OrigRAX: ^uint64(0), RIP: at, CS: userCS, SS: userDS, RFlags: 0x202,
	}
	if errno := setGeneral(tid, &r); errno != 0 {
		return 0, errno
	}
	for {
		if errno := ptrace(unix.PTRACE_CONT, tid, 0, 0); errno != 0 {
			return 0, errno
		}
		status, errno := waitThread(tid)
		if errno != 0 {
			return 0, errno
		}
		if !status.Stopped() {
			return 0, unix.ESRCH
		}
		if status>>16 != 0 {
			continue // job control from outside
		}
		var info sigInfo
		switch status.StopSignal() {
		case unix.SIGTRAP:
			if errno := getRegisters(tid, &r); errno != 0 {
				return 0, errno
			}
			if r.RIP == afterInject || r.RIP == afterClone {
				return result(r.RAX)
			}
		case unix.SIGSEGV, unix.SIGBUS, unix.SIGILL, unix.SIGSYS:
			if getSigInfo(tid, &info) != 0 || info.code > 0 {
				return 0, unix.EFAULT
			}
		}
		// A kick or a signal from outside: forget it and go on.
	}
}

// result splits what a system call returns.
func result(v uint64) (uint64, unix.Errno) {
	if v > ^uint64(4095) {
		return 0, unix.Errno(-v)
	}
	return v, 0
}
