package systrap

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"cordon/platform/stub"
)

// A header is the part of a slot that Sentry and stub write in turns, as
// stub_amd64.s has it. Guests can write to it whenever they like: whatever is
// read from it is a claim.
type header struct {
	// One line of the cache, which goes to and fro: whose turn it is, and the
	// call. rax is its number, then its result.
	turn                            uint32 // futex: 0 the guest's, 1 the Sentry's, 2 the Sentry's, and others want the CPU, 3 too many do
	_                               uint32
	rax, rdi, rsi, rdx, r10, r8, r9 uint64

	// One line that seldom changes.
	self    uint64
	sentry  uint32 // the Sentry waits on turn
	stub    uint32 // the stub waits on turn
	spin    uint32 // how often the stub looks at turn before it waits
	command uint32
	kind    uint32
	_       [9]uint32

	// The guest's: registers that few calls need.
	rcx, rbx, rbp, rsp, r12, r13, r14, r15 uint64

	fs      uint64
	gs      uint64
	context uint64 // the struct ucontext of the last signal, or that to load
	info    uint64 // its siginfo
	stack   struct {
		sp    uint64
		flags uint32
		_     uint32
		size  uint64
	}
	tid int32
	_   uint32

	// Of the first slot, what the leader says. Hints.
	done  uint32 // its last orders
	sleep uint32 // it sleeps, or is about to
}

func headerOf(slot []byte) *header { return (*header)(unsafe.Pointer(&slot[slotHeader])) }

// wordsOf are the words for descriptors of a space, behind its page of orders.
func wordsOf(slot []byte) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(&slot[pageSize])), pageSize/4)
}

// turnOf and others are the words that both sides use at the same time.
func (h *header) loadTurn() uint32 { return atomic.LoadUint32(&h.turn) }

// answer sets the word of a call.
func (t *thread) answer(call uint32, word uint64) {
	if call < factCalls {
		atomic.StoreUint64((*uint64)(unsafe.Pointer(&t.slot[8*call])), word)
	}
}

// giveTurn lets the guest go on and reports whether it has to be woken.
func (h *header) giveTurn() bool {
	atomic.StoreUint32(&h.turn, 0)
	return atomic.LoadUint32(&h.stub) != 0
}

// setWakes sets the word of a page of orders that says whether wakes are answered.
// It is in order with what follows, as any exchange.
func setWakes(page []byte, on bool) {
	v := uint32(0)
	if on {
		v = 1
	}
	atomic.SwapUint32((*uint32)(unsafe.Pointer(&page[opsWakes])), v)
}

// leaderSleeps says whether the leader claims to sleep.
func (h *header) leaderSleeps() bool { return atomic.LoadUint32(&h.sleep) != 0 }

// looks says whether the guest, whose turn it is not, looks for its answer.
func (h *header) looks() bool { return h.loadTurn() == 1 && atomic.LoadUint32(&h.stub) == 0 }

// press has a guest that looks for its answer let others have its CPU meanwhile, until
// relax.
func (h *header) press() { atomic.CompareAndSwapUint32(&h.turn, 1, 2) }
func (h *header) relax() { atomic.CompareAndSwapUint32(&h.turn, 2, 1) }

// threadID is what the host wrote when it made the thread.
func (h *header) threadID() int32 { return atomic.LoadInt32(&h.tid) }

func (h *header) setSentry(v uint32) { atomic.StoreUint32(&h.sentry, v) }

// awaitTurn looks at the turn for so many times.
func (h *header) awaitTurn(looks int32) bool { return spinWhile(&h.turn, 0, looks) }

const (
	futexWait = 0
	futexWake = 1
)

// wakeGuest wakes a stub that waits for its turn, or a Sentry thread.
func (h *header) wake() { stub.WakeWord(&h.turn) }

// waitTurn sleeps until the turn may have changed from the guest's, at most for
// the given time. It goes through the scheduler's system call entry: the guest may
// run for long.
func (h *header) waitTurn(nanoseconds int64) {
	ts := unix.NsecToTimespec(nanoseconds)
	unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&h.turn)), futexWait, 0, uintptr(unsafe.Pointer(&ts)), 0, 0)
}

// command tells the leader of a page of orders that there is a new list, and returns its
// number. The leader may sleep: wakeLeader wakes it.
func command(page []byte) uint32 {
	return atomic.AddUint32((*uint32)(unsafe.Pointer(&page[opsSequence])), 1)
}

func wakeLeader(page []byte) {
	unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&page[opsSequence])), futexWake, 1, 0, 0, 0)
}

// awaitHint looks, so many times at most, whether a leader claims to have done a list.
func (h *header) awaitHint(list uint32, looks int) bool {
	const step = 100
	for ; looks > 0; looks -= step {
		seen := atomic.LoadUint32(&h.done)
		if seen == list {
			return true
		}
		spinWhile(&h.done, seen, step)
	}
	return false
}

// awaitReport waits for a leader's report, at most for the given time: 0 when none
// has come.
func awaitReport(fd int, nanoseconds int64) uint64 {
	ts := unix.NsecToTimespec(nanoseconds)
	pfd := unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	unix.Syscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&pfd)), 1, uintptr(unsafe.Pointer(&ts)), 0, 8, 0)
	return readReport(fd)
}

// readReport returns a leader's report, 0 when there is none.
func readReport(fd int) uint64 {
	var b [8]byte
	n, _, _ := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b)), 8)
	if int(n) != len(b) {
		return 0
	}
	return binary.LittleEndian.Uint64(b[:])
}

// A bell wakes one thread, which waits in the host's kernel.
type bell struct {
	word uint32 // atomic: 1 when it has rung, 2 when somebody waits
}

// ring makes the next wait, or the one under way, return.
func (b *bell) ring() {
	if atomic.SwapUint32(&b.word, 1) == 2 {
		const private = 128
		unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&b.word)), futexWake|private, 1, 0, 0, 0)
	}
}

// wait waits until ring has been called since the last wait.
func (b *bell) wait() {
	const private = 128
	for !atomic.CompareAndSwapUint32(&b.word, 1, 0) {
		if atomic.CompareAndSwapUint32(&b.word, 0, 2) || atomic.LoadUint32(&b.word) == 2 {
			unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&b.word)), futexWait|private, 2, 0, 0, 0)
		}
	}
}
