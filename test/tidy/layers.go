// Package tidy is the project's policy as tests: which package may import which,
// and what files look like. It has no code of its own beside the lists.
package tidy

// layers is the import policy. A package may import packages of earlier lines
// only; packages of one line do not know each other. A trailing ... covers a
// folder and what is in it, the most exact entry counts.
const layers = `
	internal/linux internal/check
	internal/lock internal/refs internal/seg internal/host
	internal/log
	checkpoint
	platform/arch platform/memfile platform/systrap/patch gofer/donate
	gofer/p9
	platform gofer/client gofer/server netstack
	platform/platformtest platform/stub gofer/hostfs
	platform/sim platform/ptrace platform/systrap platform/kvm gofer/gofertest
	sentry/wait sentry/cred sentry/limit sentry/bpf sentry/ebpf sentry/netfilter
	sentry/ktime sentry/cgroup
	sentry/memmap sentry/usermem sentry/signal
	sentry/mm sentry/vfs sentry/futex
	sentry/file/tty sentry/vfs/vfstest
	sentry/arg sentry/file/... sentry/hostmount sentry/ipc sentry/ns sentry/socket sentry/fs/mapset
	sentry/fs/tmpfs sentry/fs/textfs
	sentry/socket/... sentry/fs/...
	sentry/socket/nettext
	sentry/task
	sentry/loader sentry/fs/procfs sentry/fs/cgroupfs
	sentry/syscalls
	sentry
	runsc/...
	cmd/...
	test/...
`

// A rule forbids packages that match from to import, directly, what matches
// imports. Patterns are like those of layers; a ! before a package of from
// excepts it.
type rule struct {
	from    string
	imports string
	because string
}

var rules = []rule{
	{"... !netstack", "gvisor.dev/gvisor/...",
		"the TCP/IP stack is used through one package, which turns its errors into errnos once"},
	{"netstack", "gvisor.dev/gvisor/runsc/... gvisor.dev/gvisor/pkg/sentry/... gvisor.dev/gvisor/pkg/abi/...",
		"only the TCP/IP stack and what its API shows come from there"},
	{"netstack platform/...", "cordon/sentry/...",
		"they know packets, registers and mappings, but no kernel objects"},
	{"sentry/vfs", "cordon/sentry/task",
		"files see their caller as vfs.Caller; a path walk needs no task"},
	{"internal/... checkpoint", "cordon/platform/... cordon/sentry/... cordon/gofer/... cordon/runsc/...",
		"the leaves know none of our objects"},
	{"internal/linux", "golang.org/x/sys/...",
		"the guest's ABI does not depend on the host's"},
	{"sentry/... !sentry/fs/goferfs", "os net net/http context os/exec os/signal",
		"the Sentry reaches the host only through internal/host, whose calls the filter lists"},
	{"gofer/p9 gofer/client gofer/server gofer/hostfs gofer/donate", "cordon/sentry/...",
		"the gofer serves files and knows no guest"},
	{"runsc/...", "cordon/platform/ptrace/internal/... cordon/sentry/fs/procfs",
		"runsc assembles the kernel through package sentry"},
}
