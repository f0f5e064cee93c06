package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// The host's out-of-memory killer is to choose a guest's process, of whom each is
// a stub, and not the Sentry or the gofer, without which all of them end. So
// these two have the lowest score; or, where that may not be lowered, the stubs
// have a high one, which they take from the Sentry as it is while it starts.
const (
	lowestScore = -999
	guestScore  = 900
)

// Score sets the oom_score_adj that a sandbox starts with: adj, which the
// container has asked for, or what it is if that is nil.
func Score(adj *int, boot int, others ...int) error {
	base, err := baseScore(adj, boot)
	if err != nil {
		return err
	}
	if setScore(boot, lowestScore) != nil {
		return errors.Join(setScores(others, base), setScore(boot, max(base, guestScore)))
	}
	return errors.Join(setScores(others, base), setScore(boot, base))
}

// Protect gives a sandbox that has started, whose first stubs are there, the
// score that it keeps. Without the right to it everything stays as it is.
func Protect(adj *int, boot int, others ...int) {
	if setScore(boot, lowestScore) == nil {
		_ = setScores(others, lowestScore) // as far as they are still there
		return
	}
	pid := 0
	if len(others) > 0 {
		pid = others[0] // its score is what was asked for
	}
	base, err := baseScore(adj, pid)
	if err == nil {
		_ = setScore(boot, base)
	}
}

// baseScore is what a container asks for, as far as it may: without the right to
// lower it, an ordinary user's stays.
func baseScore(adj *int, pid int) (int, error) {
	now, err := score(pid)
	if err != nil || adj == nil {
		return now, err
	}
	if err := setScore(pid, *adj); err != nil {
		if errors.Is(err, os.ErrPermission) && os.Geteuid() != 0 {
			return now, nil
		}
		return 0, fmt.Errorf("process.oomScoreAdj: %w", err)
	}
	return *adj, nil
}

func score(pid int) (int, error) {
	if pid == 0 {
		return 0, nil
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(bytes.TrimSpace(data)))
}

func setScores(pids []int, adj int) (err error) {
	for _, pid := range pids {
		err = errors.Join(err, setScore(pid, adj))
	}
	return err
}

func setScore(pid, adj int) error {
	if pid == 0 {
		return nil
	}
	f, err := os.OpenFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(strconv.Itoa(adj))
	return err
}
