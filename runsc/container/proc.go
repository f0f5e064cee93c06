package container

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// A Proc names a host process for good: a pid alone is used again.
type Proc struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks since boot
}

// FindProc returns the process that has pid now.
func FindProc(pid int) (Proc, error) {
	if pid == 0 {
		return Proc{}, nil
	}
	start, _, err := procStat(pid)
	if err != nil {
		return Proc{}, err
	}
	return Proc{PID: pid, Start: start}, nil
}

// Alive reports whether the process has not ended. A zombie has.
func (p Proc) Alive() bool {
	if p.PID == 0 {
		return false
	}
	start, state, err := procStat(p.PID)
	return err == nil && start == p.Start && state != 'Z' && state != 'X'
}

// Kill ends the process and waits until it is gone.
func (p Proc) Kill(timeout time.Duration) error {
	if p.PID == 0 {
		return nil
	}
	fd, err := unix.PidfdOpen(p.PID, 0)
	// ENOENT (EINVAL before Linux 6.9): it is gone, and its number is a thread's now.
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINVAL) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("pidfd_open of process %d: %w", p.PID, err)
	}
	defer unix.Close(fd)
	// Looked at after the descriptor is there, so that it is this process
	// that is killed.
	if !p.Alive() {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && err != unix.ESRCH {
		return fmt.Errorf("killing process %d: %w", p.PID, err)
	}
	return awaitExit(fd, p.PID, timeout)
}

func awaitExit(pidfd, pid int, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return fmt.Errorf("process %d does not end", pid)
		}
		fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(left.Milliseconds())+1)
		if err != nil && err != unix.EINTR {
			return err
		}
		if n > 0 {
			return nil
		}
	}
}

// procStat returns a process's start time and state letter.
func procStat(pid int) (start uint64, state byte, err error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0, err
	}
	// The name in parentheses may hold anything.
	i := bytes.LastIndexByte(data, ')')
	f := bytes.Fields(data[i+1:])
	const startField = 22 - 3
	if i < 0 || len(f) <= startField {
		return 0, 0, fmt.Errorf("/proc/%d/stat is %q", pid, data)
	}
	start, err = strconv.ParseUint(string(f[startField]), 10, 64)
	return start, f[0][0], err
}
