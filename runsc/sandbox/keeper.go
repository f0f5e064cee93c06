package sandbox

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A keeper is the host process that carries a container's pid (enter.c): it ends with
// the exit code of the container's first process.
type keeper struct {
	p    *os.Process
	life *os.File // ours, until it is detached
}

// mayKeep reports whether this process has the rights to put a keeper into the
// namespaces of a sandbox.
func mayKeep() bool {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	return os.Geteuid() == 0 && unix.Capget(&head, &data[0]) == nil && data[0].Effective&(1<<unix.CAP_SYS_ADMIN) != 0
}

// enterShared enters the namespaces that a keeper has in common with its sandbox, for
// tools that look for a container's by its pid.
func (c *Config) enterShared(boot int) error {
	shared := unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS
	if c.OwnNet {
		if err := enterNetNS(c.NetNS); err != nil {
			return err
		}
		shared &^= unix.CLONE_NEWNET
	}
	fd, err := unix.PidfdOpen(boot, 0)
	if err != nil {
		return fmt.Errorf("pidfd_open of process %d: %w", boot, err)
	}
	defer unix.Close(fd)
	if err := unix.Setns(fd, shared); err != nil {
		return fmt.Errorf("entering the namespaces of process %d: %w", boot, err)
	}
	return nil
}

// startKeeper executes this binary under the guest program's name; enter.c has the
// descriptors' numbers. sentry is the socket between it and the Sentry, whose process
// is boot.
func startKeeper(c *Config, sentry *os.File, boot int) (k *keeper, ready *os.File, err error) {
	t, err := newTether()
	if err != nil {
		return nil, nil, err
	}
	defer t.closeChilds()
	stdin := t.null
	attr := &syscall.SysProcAttr{Setsid: true}
	if c.ControllingTerminal {
		attr.Setctty = true
		stdin = c.Stdio[0]
	}
	zone := "CORDON_ZONE=keeper"
	if c.Attached {
		zone += "+"
	}
	env, pids, enter := []string{zone}, t.null, func() error { return enterNetNS(c.NetNS) }
	if boot != 0 && mayKeep() {
		attr.Cloneflags |= unix.CLONE_NEWNS
		// Without a view its root is empty.
		if env = append(env, viewEnv(c.View)...); len(env) == 1 {
			env = append(env, "CORDON_VIEW=")
		}
		if pids, err = os.Open(fmt.Sprintf("/proc/%d/ns/pid", boot)); err != nil {
			t.closeOwn()
			return nil, nil, fmt.Errorf("the sandbox's processes: %w", err)
		}
		defer pids.Close()
		enter = func() error { return c.enterShared(boot) }
		if c.OwnNet && c.NetNS == "" {
			attr.Cloneflags |= unix.CLONE_NEWNET
		}
	}
	p, err := startFrom(enter, shownArgs(c), env, []*os.File{stdin, t.null, t.null, t.report, sentry, t.life, pids}, attr)
	if err != nil {
		t.closeOwn()
		return nil, nil, fmt.Errorf("starting the container's keeper: %w", err)
	}
	return &keeper{p, t.lifeline}, t.ready, nil
}

// keeperFailure is what a keeper says of its start: nil if it stands.
func keeperFailure(ready *os.File) error {
	if err := readReport(ready); err != nil {
		return fmt.Errorf("the container's keeper: %w", err)
	}
	return nil
}

// detach lets it outlive this process.
func (k *keeper) detach() error {
	_, err := k.life.Write([]byte{'d'})
	k.life.Close()
	return err
}
