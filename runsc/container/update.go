package container

import (
	"errors"

	"cordon/runsc/boot"
	"cordon/runsc/cgroup"
	"cordon/runsc/sandbox"

	"github.com/opencontainers/runtime-spec/specs-go"

	"golang.org/x/sys/unix"
)

// Update changes the limits of a container that is not stopped: on the host,
// where its own processes are, and inside. What r does not name stays. The
// warnings say what has no effect.
func (c *Container) Update(r *specs.LinuxResources) (warnings []string, err error) {
	inside := cgroup.Inside(r)
	if c.State.Groups != nil {
		err = c.ChangeGroups(func(g *cgroup.Group) error {
			if err := g.Set(r); err != nil {
				return err
			}
			warnings = g.Warnings()
			// A container that joined is bounded by the sandbox alone: the
			// Sentry is in the first container's group.
			inside.HostBound = g.Bounds() && c.State.Sandbox == ""
			return nil
		})
		if err != nil {
			return warnings, err
		}
	}
	if inside.HostBound && inside.MemoryMax != 0 {
		if err := c.resizeMemory(&inside); err != nil {
			return warnings, err
		}
	}
	return warnings, c.Call(boot.OpUpdate, inside, nil)
}

// resizeMemory lets the memory file grow as far as a new limit allows. One that
// is larger than that already is left: processes will have to end first.
func (c *Container) resizeMemory(r *boot.Resources) error {
	if r.MemoryMax > 0 {
		r.GuestMemory = boot.GuestMemory(r.MemoryMax)
	}
	err := sandbox.ResizeMemory(c.sentry().PID, r.GuestMemory)
	if errors.Is(err, unix.EINVAL) {
		return nil
	}
	return err
}
