package boot

import (
	"errors"

	"cordon/runsc/control"
)

// Operations about what a container uses.
const (
	// OpUpdate takes Resources, of which those that are zero stay as they are.
	OpUpdate = "update"
	// OpUsage returns a Usage.
	OpUsage = "usage"
	// OpOOMKills returns how many processes were killed for memory that the host
	// has not counted itself, as a uint64.
	OpOOMKills = "oom-kills"
	// OpAwaitOOM takes how many processes the caller knows to have been killed
	// for memory (a uint64), and returns how many there are once there are more.
	OpAwaitOOM = "await-oom"
)

// Resources bound a container inside the sandbox: zero is no change (at first:
// no bound), less than zero no bound. Memory is in bytes, times in microseconds.
type Resources struct {
	MemoryMax, MemoryHigh, MemoryLow, MemoryMin, SwapMax int64
	Tasks                                                int64
	CPUQuota, CPUPeriod, CPUBurst, CPUWeight             int64
	OOMGroup                                             bool
	// HostBound: the host bounds the memory and the processor time of the
	// sandbox's processes in the same way, the sandbox's own use included.
	HostBound bool
	// GuestMemory is what of MemoryMax the memory file can have, which is bound
	// by its own file system (sandbox.Start sets it); 0: no such bound.
	GuestMemory int64
	// CPUs is how many processors new processes of the container may run on; 0
	// is all.
	CPUs int
}

// A Usage is what a container uses inside.
type Usage struct {
	MemoryBytes, MemoryPeakBytes, MemoryLimitBytes int64 // limit 0: none
	FileBytes                                      int64 // of memory, contents of files in memory
	OOMKills                                       uint64
	Tasks, MaxTasks                                int64 // 0: no bound
	UserNS, SystemNS                               int64
	Periods, Throttled, ThrottledNS                int64
}

// A Bounded is a Guest whose use is counted and can be bounded.
type Bounded interface {
	SetResources(r Resources) error
	Usage() Usage
	// AwaitOOM returns the number of processes killed for memory once it is
	// more than seen, or when stop is closed.
	AwaitOOM(seen uint64, stop <-chan struct{}) uint64
}

// dispatchBounds performs a call about what the container uses.
func (m *member) dispatchBounds(c *control.Call) (any, error) {
	g, ok := m.guest.(Bounded)
	if !ok {
		return nil, errUnable("count what it uses")
	}
	switch c.Op {
	case OpUpdate:
		var r Resources
		if err := c.Decode(&r); err != nil {
			return nil, err
		}
		return nil, g.SetResources(r)
	case OpUsage:
		return g.Usage(), nil
	case OpOOMKills:
		return m.herald.unseen(oomKills(g)), nil
	}
	var seen uint64
	if err := c.Decode(&seen); err != nil {
		return nil, err
	}
	stop := make(chan struct{})
	release, err := c.OnHangup(func() { close(stop) })
	if err != nil {
		return nil, err
	}
	defer release()
	n := g.AwaitOOM(seen, stop)
	if n == seen {
		return nil, errors.New("nobody waits")
	}
	return n, nil
}

// oomKills is how many processes of a guest were killed for memory.
func oomKills(g Bounded) uint64 {
	now := make(chan struct{})
	close(now)
	return g.AwaitOOM(0, now)
}

// GuestMemory is what of a limit of memory the guest can have: the rest is for
// the sandbox itself.
func GuestMemory(limit int64) int64 {
	const least, most = 12 << 20, 64 << 20
	return max(limit/8, limit-min(most, max(least, limit/4))) &^ 4095
}
