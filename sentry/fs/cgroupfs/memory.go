package cgroupfs

import (
	"fmt"

	"cordon/internal/linux"
	"cordon/sentry/cgroup"
	"cordon/sentry/task"
)

func readCurrent(s *task.System, g *cgroup.Group) ([]byte, error) {
	return line(s.CgroupMemory(g).Total())
}

func readPeak(s *task.System, g *cgroup.Group) ([]byte, error) {
	return line(g.NotePeak(s.CgroupMemory(g).Total()))
}

func readLimit(k cgroup.MemoryLimit) func(*task.System, *cgroup.Group) ([]byte, error) {
	return func(_ *task.System, g *cgroup.Group) ([]byte, error) { return orMax(g.MemoryLimit(k), cgroup.NoLimit) }
}

func writeLimit(k cgroup.MemoryLimit) func(*writer, *cgroup.Group, string) error {
	return func(w *writer, g *cgroup.Group, s string) error {
		n, err := parseBytes(s)
		if err != nil {
			return err
		}
		g.SetMemoryLimit(k, n)
		w.sys.WatchCgroup(g)
		return nil
	}
}

func memoryEvents(own bool) func(*task.System, *cgroup.Group) ([]byte, error) {
	return func(_ *task.System, g *cgroup.Group) ([]byte, error) {
		n := g.MemoryCounts(own)
		return fmt.Appendf(nil, "low %d\nhigh %d\nmax %d\noom %d\noom_kill %d\noom_group_kill %d\n", n[cgroup.EventLow], n[cgroup.EventHigh],
			n[cgroup.EventMax], n[cgroup.EventOOM], n[cgroup.EventOOMKill], n[cgroup.EventOOMGroupKill]), nil
	}
}

// zeros are what cordon has none of, or does not count.
var zeros = [...]string{
	"kernel", "kernel_stack", "pagetables", "sec_pagetables", "percpu", "sock", "vmalloc",
}

func readMemoryStat(s *task.System, g *cgroup.Group) ([]byte, error) {
	u := s.CgroupMemory(g)
	out := fmt.Appendf(nil, "anon %d\nfile %d\n", u.Own, u.Files)
	for _, name := range zeros {
		out = fmt.Appendf(out, "%s 0\n", name)
	}
	out = fmt.Appendf(out, "shmem %d\nfile_mapped 0\nfile_dirty 0\nfile_writeback 0\nswapcached 0\nanon_thp 0\nfile_thp 0\nshmem_thp 0\n", u.Files)
	out = fmt.Appendf(out, "inactive_anon %d\nactive_anon %d\ninactive_file 0\nactive_file 0\nunevictable 0\n", u.Files, u.Own)
	return append(out, "slab_reclaimable 0\nslab_unreclaimable 0\nslab 0\nworkingset_refault_anon 0\nworkingset_refault_file 0\n"+
		"pgfault 0\npgmajfault 0\n"...), nil
}

// writeReclaim empties caches: EAGAIN where less was found than was asked for.
func writeReclaim(w *writer, g *cgroup.Group, s string) error {
	n, err := parseBytes(s)
	if err != nil {
		return err
	}
	if w.sys.EmptyCaches() < n {
		return linux.EAGAIN
	}
	return nil
}
