package clients

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// many is how many containers are there at once.
const many = 100

// manyTimeout bounds each command: all share the machine.
const manyTimeout = 5 * time.Minute

func TestMany(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	c := newContainerd(t, "")
	for _, r := range []runtime{c.shim(), c.runc()} {
		t.Run(r.name, func(t *testing.T) {
			mine := c.of(t)
			// What the daemon opens once and keeps is open by now.
			mine.oneOfMany(t, r, "first")
			before := c.daemon.descriptors()
			var all sync.WaitGroup
			for i := range many {
				all.Go(func() { mine.oneOfMany(t, r, fmt.Sprintf("many%d", i)) })
			}
			all.Wait()
			mine.noContainers()
			mine.gone("processes", func() (left []string) {
				for _, p := range mine.processes() {
					if !isDaemon(p) {
						left = append(left, p)
					}
				}
				return left
			})
			mine.gone("mounts", mine.newMounts)
			mine.eventually("the daemon has closed what it opened for them", func() bool {
				return c.daemon.descriptors() <= before+4
			})
		})
	}
}

// oneOfMany creates, starts, kills and deletes a container.
func (c *containerd) oneOfMany(t *testing.T, r runtime, id string) {
	for _, args := range [][]string{
		r.runFlags("-d", imageName, id, "sleep", "1000"),
		{"task", "exec", "--exec-id", "e1", id, "true"},
		{"task", "delete", "--force", id},
		{"containers", "rm", id},
	} {
		got, err := c.try(manyTimeout, "", c.args(args...)...)
		if err != nil {
			t.Errorf("%s: %v", id, err)
			return
		}
		// ctr says the killed task's exit code.
		if got.code != 0 {
			t.Errorf("%s: %q: %v", id, args, got)
			return
		}
	}
}
