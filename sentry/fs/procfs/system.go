package procfs

import (
	"bytes"
	"fmt"

	"cordon/platform/memfile"
	"cordon/sentry/mm"
	"cordon/sentry/task"
)

// busy returns the time that all tasks, living and gone, have spent in the
// guest and in the Sentry. It never goes back.
func (sh *shared) busy() (user, system int64) {
	var sum task.Usage
	for _, g := range sh.sys.Processes() {
		sum.Add(g.Usage())
		sum.Add(g.ChildrenUsage())
	}
	user, system = sum.UserNS, sum.SystemNS
	for {
		most := sh.busiest.Load()
		if user+system >= most {
			if sh.busiest.CompareAndSwap(most, user+system) {
				return user, system
			}
			continue
		}
		return most - system, system
	}
}

// idle returns the time that the guest's processors had nothing to do since
// boot.
func (sh *shared) idle() int64 {
	user, system := sh.busy()
	return max(0, sh.sys.Clocks.Boottime.Now()*int64(sh.sys.CPUs())-user-system)
}

func uptimeText(o *opening) ([]byte, error) {
	up, idle := o.fs.sys.Clocks.Boottime.Now()+o.bootAhead(), o.fs.idle()
	const cs = 10_000_000
	return fmt.Appendf(nil, "%d.%02d %d.%02d\n", up/1e9, up%1e9/cs, idle/1e9, idle%1e9/cs), nil
}

// running counts tasks that run, and all.
func (sh *shared) running() (running, all int) {
	for _, t := range sh.sys.Tasks() {
		all++
		if t.State() == 'R' {
			running++
		}
	}
	return running, all
}

func loadText(o *opening) ([]byte, error) {
	l := o.fs.sys.LoadAverages()
	running, all := o.fs.running()
	return fmt.Appendf(nil, "%.2f %.2f %.2f %d/%d %d\n", l[0], l[1], l[2], running, all, o.fs.pids.LastPID()), nil
}

// systemStatText is /proc/stat. Which processor a task ran on is not known to
// the Sentry: the time is spread evenly.
func systemStatText(o *opening) ([]byte, error) {
	sys := o.fs.sys
	user, system := o.fs.busy()
	idle := o.fs.idle()
	b := fmt.Appendf(nil, "cpu  %d 0 %d %d 0 0 0 0 0 0\n", user/tickNS, system/tickNS, idle/tickNS)
	n := int64(o.cpus())
	for i := range n {
		b = fmt.Appendf(b, "cpu%d %d 0 %d %d 0 0 0 0 0 0\n", i, user/n/tickNS, system/n/tickNS, idle/n/tickNS)
	}
	var switches int64
	for _, g := range sys.Processes() {
		for _, u := range []task.Usage{g.Usage(), g.ChildrenUsage()} {
			switches += u.Voluntary + u.Involuntary
		}
	}
	running, _ := o.fs.running()
	boot := (sys.Clocks.Realtime.Now() - sys.Clocks.Boottime.Now() - o.bootAhead()) / 1e9
	return fmt.Appendf(b, "intr 0\nctxt %d\nbtime %d\nprocesses %d\nprocs_running %d\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n",
		switches, boot, sys.Started(), running), nil
}

// memory is the guest's memory in bytes, by what it is used for.
type memory struct {
	total, used, free     uint64
	anon, shmem, kernel   uint64
	mapped, tables, virtu uint64
}

func (o *opening) memory() memory {
	sys := o.fs.sys
	m := memory{total: sys.MemoryTotal(), used: sys.MemoryUsed()}
	if o.caller != nil {
		m.total, m.used = o.caller.Memory()
	}
	m.used = min(m.used, m.total)
	m.free = m.total - m.used
	m.anon = sys.Memory.Usage(memfile.Anonymous)
	m.shmem = sys.Memory.Usage(memfile.Shared) + sys.Memory.Usage(memfile.Files)
	m.kernel = sys.Memory.Usage(memfile.Kernel)
	seen := map[*mm.MemoryManager]bool{}
	for _, g := range sys.Processes() {
		withTaskMM(g.Leader(), func(a *mm.MemoryManager) {
			if seen[a] {
				return
			}
			seen[a] = true
			s := a.Sizes()
			m.mapped += s.Pages.File + s.Pages.Shmem
			m.tables += s.PageTables
			m.virtu += s.Data + s.Stack
		})
	}
	return m
}

func meminfoText(o *opening) ([]byte, error) {
	m := o.memory()
	var b []byte
	kb := func(name string, bytes uint64) { b = fmt.Appendf(b, "%-15s %8d kB\n", name+":", bytes>>10) }
	for _, l := range []struct {
		name string
		n    uint64
	}{
		{"MemTotal", m.total}, {"MemFree", m.free}, {"MemAvailable", m.free}, {"Buffers", 0}, {"Cached", m.shmem}, {"SwapCached", 0},
		{"Active", m.anon + m.shmem}, {"Inactive", 0}, {"Active(anon)", m.anon + m.shmem}, {"Inactive(anon)", 0},
		{"Active(file)", 0}, {"Inactive(file)", 0}, {"Unevictable", 0}, {"Mlocked", 0}, {"SwapTotal", 0}, {"SwapFree", 0},
		{"Zswap", 0}, {"Zswapped", 0},
		{"Dirty", 0}, {"Writeback", 0}, {"AnonPages", m.anon}, {"Mapped", m.mapped}, {"Shmem", m.shmem},
		{"KReclaimable", 0}, {"Slab", m.kernel}, {"SReclaimable", 0}, {"SUnreclaim", m.kernel}, {"KernelStack", 0},
		{"PageTables", m.tables}, {"SecPageTables", 0}, {"NFS_Unstable", 0}, {"Bounce", 0}, {"WritebackTmp", 0},
		{"CommitLimit", m.total / 2}, {"Committed_AS", m.virtu}, {"VmallocTotal", 34359738367 << 10}, {"VmallocUsed", 0}, {"VmallocChunk", 0},
		{"Percpu", 0}, {"AnonHugePages", 0}, {"ShmemHugePages", 0}, {"ShmemPmdMapped", 0}, {"FileHugePages", 0}, {"FilePmdMapped", 0},
	} {
		kb(l.name, l.n)
	}
	b = append(b, "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\nHugePages_Surp:        0\n"...)
	kb("Hugepagesize", 2<<20)
	kb("Hugetlb", 0)
	return b, nil
}

func vmstatText(o *opening) ([]byte, error) {
	m := o.memory()
	var faults int64
	for _, g := range o.fs.sys.Processes() {
		faults += g.Usage().MinorFaults + g.ChildrenUsage().MinorFaults
	}
	var b []byte
	for _, l := range []struct {
		name string
		n    uint64
	}{
		{"nr_free_pages", m.free / pageSize}, {"nr_zone_inactive_anon", 0}, {"nr_zone_active_anon", (m.anon + m.shmem) / pageSize},
		{"nr_zone_inactive_file", 0}, {"nr_zone_active_file", 0}, {"nr_mlock", 0},
		{"nr_inactive_anon", 0}, {"nr_active_anon", (m.anon + m.shmem) / pageSize}, {"nr_inactive_file", 0}, {"nr_active_file", 0},
		{"nr_unevictable", 0}, {"nr_slab_reclaimable", 0}, {"nr_slab_unreclaimable", m.kernel / pageSize},
		{"nr_anon_pages", m.anon / pageSize}, {"nr_mapped", m.mapped / pageSize}, {"nr_file_pages", m.shmem / pageSize},
		{"nr_dirty", 0}, {"nr_writeback", 0}, {"nr_shmem", m.shmem / pageSize}, {"nr_page_table_pages", m.tables / pageSize},
		{"pgpgin", 0}, {"pgpgout", 0}, {"pswpin", 0}, {"pswpout", 0}, {"pgfault", uint64(faults)}, {"pgmajfault", 0}, {"oom_kill", 0},
	} {
		b = fmt.Appendf(b, "%s %d\n", l.name, l.n)
	}
	return b, nil
}

// zoneText is /proc/zoneinfo of a machine with one zone.
func zoneText(o *opening) ([]byte, error) {
	m := o.memory()
	free, total := m.free/pageSize, m.total/pageSize
	return fmt.Appendf(nil, "Node 0, zone   Normal\n  pages free     %d\n        boost    0\n        min      0\n        low      0\n        high     0\n"+
		"        spanned  %d\n        present  %d\n        managed  %d\n        cma      0\n", free, total, total, total), nil
}

// buddyText is the free memory in blocks of 4 MiB, the largest order, and the
// rest in pages.
func buddyText(o *opening) ([]byte, error) {
	pages := o.memory().free / pageSize
	b := fmt.Appendf(nil, "Node 0, zone %8s ", "Normal")
	for order := range 11 {
		n := uint64(0)
		switch order {
		case 0:
			n = pages % 1024
		case 10:
			n = pages / 1024
		}
		b = fmt.Appendf(b, "%6d ", n)
	}
	return append(b, '\n'), nil
}

// cpuHeads is a line with a column for each processor.
func (sh *shared) cpuHeads(margin, width int) []byte {
	b := fmt.Appendf(nil, "%*s", margin, "")
	for i := range sh.sys.CPUs() {
		b = fmt.Appendf(b, "%-*s", width, fmt.Sprintf("CPU%d", i))
	}
	return append(b, '\n')
}

func interruptsText(o *opening) ([]byte, error) { return o.fs.cpuHeads(11, 11), nil }

func softirqsText(o *opening) ([]byte, error) {
	b := o.fs.cpuHeads(20, 11)
	for _, n := range []string{"HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU"} {
		b = fmt.Appendf(b, "%12s:", n)
		for range o.fs.sys.CPUs() {
			b = fmt.Appendf(b, " %10d", 0)
		}
		b = append(b, '\n')
	}
	return b, nil
}

// cpus is how many processors the container of who reads has.
func (o *opening) cpus() int {
	if o.caller == nil {
		return o.fs.sys.CPUs()
	}
	return o.caller.CPUs()
}

// cpuinfoText is /proc/cpuinfo: the first ones, as many as there are.
func cpuinfoText(o *opening) ([]byte, error) {
	text := o.fs.cpus
	for n, at := o.cpus(), 0; ; n-- {
		if n == 0 {
			return text[:at], nil
		}
		end := bytes.Index(text[at:], []byte("\n\n"))
		if end < 0 {
			return text, nil
		}
		at += end + 2
	}
}
