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
)

// A RestartBlock is what a relative wait needs to go on with the time that is
// left: plain data, so that it survives a checkpoint.
type RestartBlock struct {
	Kind     RestartKind
	Clock    linux.ClockID
	Deadline int64 // ns on Clock; negative: none
	Args     [4]uint64
}
