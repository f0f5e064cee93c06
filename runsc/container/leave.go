package container

import (
	"errors"
	"fmt"
	"os"
	"time"

	"cordon/runsc/boot"
	"cordon/runsc/cgroup"
	"cordon/runsc/control"
	"cordon/runsc/network"
)

// clear ends what runs and removes what is there. It is called with the lock
// held and may be repeated after a failure.
func (c *Container) clear() error {
	if err := c.depart(); err != nil {
		return err
	}
	if err := cgroup.End(c.State.Groups, c.State.Cgroups); err != nil {
		return err
	}
	if err := network.GiveBack(c.networkPath()); err != nil {
		return err
	}
	return c.removeDir()
}

// depart ends the container, and its sandbox if nobody else is in that.
func (c *Container) depart() error {
	// One who is to go on with the sandbox may be deleted meanwhile.
	const heirs = 10
	for try := 1; ; try++ {
		heir, err := c.leave()
		if err != nil {
			return err
		}
		if err := c.State.Boot.Kill(killTimeout); err != nil {
			return err
		}
		if err := c.State.Gofer.Kill(killTimeout); err != nil {
			return err
		}
		if heir == nil {
			return c.sentry().killUnlessShared(c)
		}
		if err = c.bequeath(heir); err == nil || try == heirs {
			return err
		}
		time.Sleep(time.Duration(try) * 5 * time.Millisecond)
	}
}

// Maker is the process whose end ends a container that is being made.
func (c *Container) Maker() int {
	if c.State.Sandbox == "" && c.State.Sentry.PID != 0 {
		return c.State.Sentry.PID
	}
	return c.State.Boot.PID
}

// killUnlessShared ends a boot process that has nothing but c.
func (p Proc) killUnlessShared(c *Container) error {
	if c.State.Sandbox != "" && c.State.Sentry.PID == 0 {
		return nil // of another version of this program: the first container's
	}
	return p.Kill(killTimeout)
}

// others are the containers beside c that are, or are going to be, in its sandbox.
func (c *Container) others() ([]*Container, error) {
	sentry := c.sentry()
	if sentry == c.State.Boot || !sentry.Alive() {
		return nil, nil
	}
	all, err := c.store.List()
	if err != nil {
		return nil, err
	}
	var out []*Container
	for _, o := range all {
		waiting := o.State.Creating && o.State.Boot.PID == 0
		if o.State.ID != c.State.ID && (waiting || o.State.Boot.Alive()) && o.sentry() == sentry {
			out = append(out, o)
		}
	}
	return out, nil
}

// leave ends the container in its sandbox, and returns one of those for whom that goes
// on; nil if there is none.
func (c *Container) leave() (*Container, error) {
	others, err := c.others()
	if err != nil || len(others) == 0 {
		return nil, err // the sandbox goes, with all that is in it
	}
	done := make(chan error, 1)
	go func() { done <- c.Call(boot.OpDestroy, nil, nil) }()
	select {
	case err = <-done:
	case <-time.After(killTimeout):
		return nil, fmt.Errorf("container %s does not end within %v", c.State.ID, killTimeout)
	}
	if errors.Is(err, control.ErrClosed) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// Those with a cgroup come first.
	for _, o := range others {
		if o.State.Groups != nil && o.State.Boot.Alive() {
			return o, nil
		}
	}
	return others[0], nil
}

// bequeath leaves to another container what the sandbox needs of this one's.
func (c *Container) bequeath(heir *Container) error {
	if err := os.Rename(c.networkPath(), heir.networkPath()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	sentry := c.sentry()
	err := cgroup.Move(sentry.PID, c.State.Groups, heir.State.Groups)
	if err != nil && sentry.Alive() {
		return fmt.Errorf("moving the sandbox to the cgroup of container %s: %w", heir.State.ID, err)
	}
	return nil
}
