package main

// A row is one line of the table.
type row struct {
	key, text string
	unit      unit
	bar       bar
	ptrace    bar // where the bar of --platform ptrace is another
	needs     []string
	rounds    int // if not the usual number
	root      bool
	oci       bool // runs OCI containers, by runc natively

	// script runs below sh -e, natively or inside, in a directory of its own,
	// and prints the figure as its last word. Programs of bench are in $BENCH.
	script string
	// measure is for what a script cannot see.
	measure func(b *bench, rt *runtime) ([]sample, error)
	// sizes makes a row of growth: the script's lines are "SIZE FIGURE".
	sizes []int
}

// A sample is one figure; at is the size it was measured at, in a row of
// growth.
type sample struct {
	at    int
	value float64
}

type unit struct {
	name string
	by   float64
	more bool // more is better
}

var (
	nano    = unit{name: "ns", by: 1}
	micro   = unit{name: "us", by: 1e3}
	milli   = unit{name: "ms", by: 1e6}
	mega    = unit{name: "MB", by: 1e6}
	times   = unit{name: "x", by: 1}
	perSec  = unit{name: "/s", by: 1, more: true}
	gigabit = unit{name: "Gbit/s", by: 1e9, more: true}
)

// A bar is what a row should reach: a ratio to native or a value, at most, or
// at least for what is better when it is more. 0 is none.
type bar struct {
	ratio, value float64
}

func ratio(r float64) bar { return bar{ratio: r} }
func value(v float64) bar { return bar{value: v} }

// call is a row that costs.c measures.
func call(key, text string, u unit, b, ptrace bar) row {
	return row{key: key, text: text, unit: u, bar: b, ptrace: ptrace, script: "$BENCH/costs " + key}
}

func allRows() []row {
	rows := callRows()
	rows = append(rows, programRows()...)
	rows = append(rows, serverRows()...)
	return append(rows, sandboxRows()...)
}

// callRows are the rows of single system calls.
func callRows() []row {
	return []row{
		call("getpid", "getpid by syscall(2)", micro, ratio(1), value(12e3)),
		call("clock", "clock_gettime, static binary", nano, ratio(1.3), ratio(1.5)),
		{key: "clockdyn", text: "clock_gettime, dynamic binary", unit: nano, bar: ratio(1.3), ptrace: ratio(1.5), script: "$BENCH/costs-dynamic clock"},
		call("read", "read 64 B", micro, ratio(3), bar{}),
		call("stat", "stat of a root file", micro, ratio(3), bar{}),
		call("open", "open+close of a cached root file", micro, ratio(3), bar{}),
		call("write", "write 4 KiB to tmpfs", micro, ratio(3), bar{}),
		call("pipe", "pipe write+read, one thread", micro, ratio(4), bar{}),
		call("pingpong", "pipe ping-pong, two processes", micro, ratio(1.5), bar{}),
		call("mmap", "mmap+touch+munmap", micro, ratio(2.5), bar{}),
		call("touch", "first touch per page, large mapping", micro, ratio(1.3), ratio(2)),
		call("fork", "fork+exit+wait, small", micro, ratio(3), ratio(6)),
		call("fork200", "fork+exit+wait, 200 MiB touched", milli, ratio(1), bar{}),
		call("exec", "fork+exec of /bin/true", milli, ratio(2.5), bar{}),
	}
}

func sandboxRows() []row {
	return []row{
		{key: "start", text: "sandbox start to exit of /bin/true", unit: milli, bar: value(30e6), ptrace: value(60e6), measure: (*bench).start},
		{key: "idle", text: "idle memory (PSS of all processes)", unit: mega, bar: value(18e6), ptrace: value(25e6), rounds: 3, measure: (*bench).idleMemory},
		{key: "idlecpu", text: "CPU time of 60 s idle", unit: milli, bar: value(20e6), rounds: 1, measure: (*bench).idleCPU},
	}
}

// growthBar is how much faster than native's a cost may grow.
const growthBar = 2

// growth is a row that growth.c measures.
func growth(key, text string, u unit, sizes ...int) row {
	r := row{key: key, text: text, unit: u, sizes: sizes, rounds: 3, script: "$BENCH/growth " + key}
	for _, n := range sizes {
		r.script += " " + itoa(n)
	}
	return r
}

// growthRows are taken by ROWS=growth: they need minutes.
func growthRows() []row {
	descriptors := []int{1, 10, 100, 1000, 10000}
	tasks := []int{1, 10, 100, 1000}
	running := []int{1, 2, 4, 16, 64}
	mappings := []int{1, 100, 1000, 10000, 60000}
	sandboxes := []int{1, 10, 50, 200}
	return []row{
		growth("files", "open+close, open files", micro, descriptors...),
		growth("holes", "close and dup of the lowest and the highest, open files", micro, descriptors...),
		growth("fdlist", "listing of /proc/self/fd, for each of the open files", micro, descriptors...),
		growth("fdfork", "fork+exit+wait, open files", micro, descriptors...),
		growth("polls", "poll of all, for each of the descriptors", micro, descriptors...),
		growth("epolls", "write, epoll_wait and read of one, registered descriptors", micro, descriptors...),
		growth("threads", "thread create+join, sleeping threads", micro, tasks...),
		growth("switches", "futex wake of the next, threads", micro, 2, 10, 100, 1000),
		growth("broadcast", "futex wake of all, for each of the threads", micro, tasks...),
		growth("timers", "timer_settime twice, set timers", micro, tasks...),
		growth("runnable", "compute+getppid, all threads, runnable threads", micro, running...),
		growth("fairness", "most work of one over least, runnable threads", times, running...),
		growth("mappings", "mmap+touch+munmap, mappings", micro, mappings...),
		growth("remaps", "munmap+mmap+touch of one of the mappings", micro, mappings...),
		growth("protects", "mprotect twice of one of the mappings", micro, mappings...),
		growth("mapfork", "fork+exit+wait, mappings", milli, mappings...),
		growth("maplist", "/proc/self/maps, for each of the mappings", micro, mappings...),
		{key: "sandboxes", text: "start, sandboxes", unit: milli, sizes: sandboxes, rounds: 1, measure: startAmong(sandboxes)},
		{key: "sandboxmem", text: "memory of each but for files' pages, sandboxes", unit: mega, sizes: sandboxes, rounds: 1, measure: memoryAmong(sandboxes)},
		{key: "sandboxcpu", text: "CPU time of each in 60 s, sandboxes", unit: milli, sizes: sandboxes, rounds: 1, measure: cpuAmong(sandboxes)},
	}
}
