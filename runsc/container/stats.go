package container

import (
	"cordon/runsc/boot"
	"cordon/runsc/cgroup"
)

// Stats is what the container uses: as its cgroups on the host count it, but
// for what the host does not see. Tasks are the guest's. A container that joined
// a sandbox has no processes of its own on the host: what it uses the sandbox
// tells.
func (c *Container) Stats() (*cgroup.Stats, error) {
	g, err := c.Groups()
	if err != nil {
		return nil, err
	}
	s, err := g.Stats()
	if err != nil {
		return nil, err
	}
	var u boot.Usage
	if c.Call(boot.OpUsage, nil, &u) != nil {
		return s, nil // it is ending
	}
	s.Pids.Current, s.Pids.Limit = uint64(u.Tasks), uint64(u.MaxTasks)
	if c.State.Sandbox == "" {
		return s, nil
	}
	s.CPU.Usage.Total = uint64(u.UserNS + u.SystemNS)
	s.CPU.Usage.User, s.CPU.Usage.Kernel = uint64(u.UserNS), uint64(u.SystemNS)
	s.CPU.Throttling = cgroup.Throttling{Periods: uint64(u.Periods), ThrottledPeriods: uint64(u.Throttled), ThrottledTime: uint64(u.ThrottledNS)}
	m := &s.Memory
	m.Cache, m.Usage.Usage, m.Usage.Max = uint64(u.FileBytes), uint64(u.MemoryBytes), uint64(u.MemoryPeakBytes)
	if u.MemoryLimitBytes > 0 {
		m.Usage.Limit = uint64(u.MemoryLimitBytes)
	}
	m.Swap.Usage = m.Usage.Usage
	return s, nil
}

// OOMKills is how many of the container's processes were ended for memory: by
// the host, and by the sandbox, which sees to its limits before the host does.
func (c *Container) OOMKills() (uint64, error) {
	g, err := c.Groups()
	if err != nil {
		return 0, err
	}
	n, err := g.OOMKills()
	if err != nil {
		n = 0 // this host counts none
	}
	var inside uint64
	if cerr := c.Call(boot.OpOOMKills, nil, &inside); cerr != nil && err != nil {
		return 0, err
	}
	return n + inside, nil
}
