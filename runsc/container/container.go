package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"cordon/runsc/boot"
	"cordon/runsc/cgroup"
	"cordon/runsc/control"

	"golang.org/x/sys/unix"
)

// killTimeout is how long a killed process may take to be gone.
const killTimeout = 10 * time.Second

// Status is a container's state as `state` shows it: a boot.State, or
// "creating".
type Status string

// Status asks the sandbox where the container stands.
func (c *Container) Status() Status {
	if c.State.Creating && c.State.Boot.PID == 0 {
		if c.abandoned() {
			return Status(boot.Stopped)
		}
		return "creating"
	}
	if !c.State.Boot.Alive() {
		return Status(boot.Stopped)
	}
	if c.State.Creating {
		return "creating"
	}
	var s boot.State
	if err := c.Call(boot.OpState, nil, &s); err != nil {
		// It ended since, or it is being killed.
		return Status(boot.Stopped)
	}
	return Status(s)
}

// abandoned reports whether nobody is at work on a container that was being made.
func (c *Container) abandoned() bool {
	lock, err := c.store.lock(c.State.ID, unix.LOCK_NB)
	if err != nil {
		return false
	}
	defer lock.Close()
	now, err := c.store.Load(c.State.ID)
	return err == nil && now.State.Creating
}

// Dial connects to the sandbox.
func (c *Container) Dial() (*control.Client, error) {
	cl, err := control.Dial(c.controlPath())
	if errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ENOENT) {
		return nil, control.ErrClosed
	}
	if err == nil && c.State.Sandbox != "" {
		cl.To = c.State.ID
	}
	return cl, err
}

// Call performs one operation of the sandbox.
func (c *Container) Call(op string, args, result any, fds ...int) error {
	cl, err := c.Dial()
	if err != nil {
		return err
	}
	defer cl.Close()
	return cl.Call(op, args, result, fds...)
}

// ChangeGroups lets f change the container's cgroups and writes down what they
// are then. Nobody else changes or deletes the container meanwhile.
func (c *Container) ChangeGroups(f func(g *cgroup.Group) error) error {
	lock, err := c.store.lock(c.State.ID, 0)
	if err != nil {
		return err
	}
	defer lock.Close()
	now, err := c.store.Load(c.State.ID)
	if err != nil {
		return err
	}
	c.State = now.State
	if c.State.Groups == nil {
		return errors.New("the container has no cgroups")
	}
	g, err := cgroup.Load(c.State.Groups)
	if err != nil {
		return err
	}
	if err := f(g); err != nil {
		return err
	}
	c.State.Groups = g.Record()
	for _, dir := range g.Paths() {
		if !slices.Contains(c.State.Cgroups, dir) {
			c.State.Cgroups = append(c.State.Cgroups, dir)
		}
	}
	return c.save()
}

// Groups are the container's cgroups.
func (c *Container) Groups() (*cgroup.Group, error) {
	if c.State.Groups == nil {
		return nil, errors.New("the container has no cgroups")
	}
	return cgroup.Load(c.State.Groups)
}

// Delete removes a container that has stopped, or one that was not started;
// with force any. It returns after nothing of it is left.
func (c *Container) Delete(force bool) error {
	lock, err := c.takeLock(force)
	if err != nil {
		return err
	}
	defer lock.Close()
	// What was written since we read it may name more.
	if now, err := c.store.Load(c.State.ID); err == nil {
		c.State = now.State
	}
	if s := c.Status(); !force && s != Status(boot.Stopped) && s != Status(boot.Created) && s != "creating" {
		return fmt.Errorf("cannot delete container %s that is not stopped: %s", c.State.ID, s)
	}
	return c.clear()
}

// takeLock takes the container's lock. The creator of a container that is to
// be deleted by force is not waited for: its sandbox is ended first.
func (c *Container) takeLock(force bool) (*os.File, error) {
	lock, err := c.store.lock(c.State.ID, unix.LOCK_NB)
	if err == nil || !errors.Is(err, unix.EWOULDBLOCK) {
		return lock, err
	}
	if force {
		if err := c.State.Boot.Kill(killTimeout); err != nil {
			return nil, err
		}
		if c.State.Creating && c.State.Sandbox == "" {
			if err := c.State.Sentry.Kill(killTimeout); err != nil {
				return nil, err
			}
		}
	}
	return c.store.lock(c.State.ID, 0)
}

// removeDir removes the directory in one step for those who look for it.
func (c *Container) removeDir() error {
	gone, err := os.MkdirTemp(c.store.Root, tempPrefix)
	if err != nil {
		return err
	}
	err = os.Rename(c.dir(), filepath.Join(gone, "old"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		os.Remove(gone)
		return err
	}
	return os.RemoveAll(gone)
}

// Forget removes an attached container whose sandbox has ended and was waited
// for.
func (c *Container) Forget() error {
	lock, err := c.store.lock(c.State.ID, 0)
	if errors.Is(err, ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	return c.clear()
}
