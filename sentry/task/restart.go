package task

import "cordon/internal/linux"

// A Restart is the result of a system call that a signal (or a checkpoint) cut
// short before it had done anything. The numbers are Linux's
// (include/linux/errno.h); guests never see them.
type Restart int

const (
	// RestartSys: run again, unless a handler without SA_RESTART ran: EINTR.
	RestartSys Restart = 512
	// RestartNoIntr: always run again.
	RestartNoIntr Restart = 513
	// RestartNoHand: run again unless any handler ran: EINTR.
	RestartNoHand Restart = 514
	// RestartCall: go on through restart_syscall(2) with Task.RestartBlock,
	// unless any handler ran: EINTR.
	RestartCall Restart = 516
	// RestartNoStop: run again unless any handler ran or the group stopped:
	// EINTR. Linux's calls of this kind fail whatever has woken them; here a
	// checkpoint may, which nobody is to see. The number is our own.
	RestartNoStop Restart = 540
	// RestartRest: a freeze cut the call short when a part was done. It is made
	// again for the rest, unless any handler ran: then the part is its result.
	// The number is our own.
	RestartRest Restart = 541
)

func (r Restart) Error() string { return "restart" }

// A RestartKind says which call a RestartBlock continues.
type RestartKind uint8

const (
	RestartNothing RestartKind = iota
	RestartNanosleep
	RestartPoll
	RestartFutex
	RestartEpoll
	RestartPart // Args[0]: how much is done
)

// A RestartBlock is what a relative wait needs to go on with the time that is
// left: plain data, so that it survives a checkpoint.
type RestartBlock struct {
	Kind     RestartKind
	Clock    linux.ClockID
	Deadline int64 // ns on Clock; negative: none
	Args     [4]uint64
}

// CutShort is the result of a call that was interrupted when it had done a
// part: that, or RestartRest where the guest is not to notice a freeze.
// Task-only.
func (t *Task) CutShort(done uint64) (uintptr, error) {
	if !t.OnlyFrozen() {
		return uintptr(done), nil
	}
	t.restartBlk = RestartBlock{Kind: RestartPart, Args: [4]uint64{done}}
	return 0, RestartRest
}

// Begun returns how much of the call was done before a freeze: it has to be
// skipped, and counts in the result. Task-only.
func (t *Task) Begun() uint64 {
	if t.restartBlk.Kind != RestartPart {
		return 0
	}
	t.restartBlk.Kind = RestartNothing
	return t.restartBlk.Args[0]
}

// restartRest makes the call again. It does not go back to the guest for that,
// so that nothing else comes in between.
func (t *Task) restartRest() {
	done := uintptr(t.restartBlk.Args[0])
	args := t.regs.SyscallArgs()
	t.inSyscall = true
	t.call.Store(uint64(t.callNumber) + 1)
	ret, err := t.sys.Calls.Call(t, t.callNumber, &args)
	if _, failed := err.(linux.Errno); failed {
		ret, err = done, nil // its file has been closed
	}
	if err != RestartRest {
		t.Begun()
	}
	t.finishCall(ret, err)
}
