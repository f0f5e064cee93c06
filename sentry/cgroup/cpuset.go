package cgroup

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"cordon/internal/linux"
)

// CPUs is a set of processors.
type CPUs [16]uint64

// FirstCPUs returns the set of the first n.
func FirstCPUs(n int) (c CPUs) {
	for i := range min(n, 64*len(c)) {
		c[i/64] |= 1 << (i % 64)
	}
	return c
}

// ParseCPUs reads a list as "0-3,7" (Linux: lib/bitmap-str.c bitmap_parselist).
func ParseCPUs(s string) (c CPUs, e linux.Errno) {
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		from, to, ranged := strings.Cut(part, "-")
		if !ranged {
			to = from
		}
		a, err := strconv.ParseUint(from, 10, 16)
		b, err2 := strconv.ParseUint(to, 10, 16)
		switch {
		case err != nil || err2 != nil || a > b:
			return c, linux.EINVAL
		case b >= uint64(64*len(c)):
			return c, linux.ERANGE
		}
		for i := a; i <= b; i++ {
			c[i/64] |= 1 << (i % 64)
		}
	}
	return c, 0
}

// String is the list.
func (c CPUs) String() string {
	var list []string
	for i := 0; i < 64*len(c); i++ {
		from := i
		for i < 64*len(c) && c[i/64]&(1<<(i%64)) != 0 {
			i++
		}
		switch i - from {
		case 0:
		case 1:
			list = append(list, strconv.Itoa(from))
		default:
			list = append(list, fmt.Sprintf("%d-%d", from, i-1))
		}
	}
	return strings.Join(list, ",")
}

// And returns what is in both.
func (c CPUs) And(o CPUs) CPUs {
	for i := range c {
		c[i] &= o[i]
	}
	return c
}

// Count is how many there are.
func (c CPUs) Count() (n int) {
	for _, w := range c {
		n += bits.OnesCount64(w)
	}
	return n
}

// OwnCPUs is cpuset.cpus, nil when it is not set. A container's is what it sees;
// what programs set bounds them too.
func (g *Group) OwnCPUs() *CPUs { return g.cpus.Load() }

// SetCPUs sets it; nil is all that the parent has. binds: no more tasks may run at
// once than there are processors in it.
func (g *Group) SetCPUs(c *CPUs, binds bool) {
	g.cpus.Store(c)
	g.cpusBind.Store(binds && c != nil)
}

// EffectiveCPUs is cpuset.cpus.effective, of a machine with n.
func (g *Group) EffectiveCPUs(n int) CPUs {
	if g.parent == nil {
		return FirstCPUs(n)
	}
	up := g.parent.EffectiveCPUs(n)
	if own := g.cpus.Load(); own != nil {
		if both := own.And(up); both.Count() > 0 {
			return both
		}
	}
	return up
}

// most is how many tasks of g and below may run at once.
func (g *Group) most(n int) int {
	if g.cpusBind.Load() {
		return g.EffectiveCPUs(n).Count()
	}
	return n
}
