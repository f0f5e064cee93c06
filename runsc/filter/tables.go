package filter

import (
	"slices"

	"cordon/gofer/hostfs"
	"cordon/internal/host"
	"cordon/netstack"
	"cordon/platform/ptrace"
	"cordon/platform/stub"
	"cordon/platform/systrap"
	"cordon/sentry/socket/hostinet"

	"golang.org/x/sys/unix"
)

// A Mode chooses the rules that not every sandbox needs.
type Mode struct {
	// HostNetwork lets the Sentry pass sockets on to the host.
	HostNetwork bool
	// Passed: guests may have sockets that the runtime's caller passes on.
	Passed bool
	// Links: the sandbox's stack may have interfaces on sockets of frames.
	Links bool
	// Ptrace: guests are traced, not trapped.
	Ptrace bool
}

// Sentry is the table of the boot process.
func Sentry(m Mode) Table {
	rules := runtimeRules()
	rules = append(rules, controlRules()...)
	rules = append(rules, hostRules()...)
	if m.Ptrace {
		rules = append(rules, fromPlatform("ptrace: ", ptrace.SentrySyscalls())...)
	} else {
		rules = append(rules, fromPlatform("systrap: ", systrap.SentrySyscalls())...)
	}
	if m.Links {
		for _, c := range netstack.Syscalls() {
			rules = append(rules, Allow("network: "+c.Reason, c.Name)...)
		}
		rules = append(rules, loopbackRules()...)
	}
	if m.HostNetwork {
		rules = append(rules, hostNetworkRules()...)
	} else if m.Passed {
		rules = append(rules, socketRules("passed sockets: ", hostinet.PassedSyscalls())...)
	}
	return Table{
		Zone:  "sentry",
		About: "runsc boot: user 65534 (or the caller) in a user namespace of its own, no capabilities, empty root, own PID, network and IPC namespaces",
		Rules: rules,
	}
}

// controlRules are the control socket's.
func controlRules() []Rule {
	var r []Rule
	r = append(r, Allow("control socket: runsc commands connect to it", "accept4")...)
	r = append(r, Rule{Name: "getsockopt", Args: []Arg{Eq32(1, unix.SOL_SOCKET), Eq32(2, unix.SO_PEERCRED)}, Reason: "control socket: whose command it is"})
	r = append(r, Allow("control socket, gofer channels: messages with descriptors", "sendmsg", "recvmsg")...)
	r = append(r, Allow("waits for a descriptor", "ppoll")...)
	return r
}

// hostRules are what the Sentry asks the host for on behalf of guests: data of
// files that the gofer opened, terminals and streams it was given, and its own
// memory file. Where a call has arguments that matter, they are narrowed here.
func hostRules() []Rule {
	var r []Rule
	for _, c := range host.Calls() {
		r = append(r, narrow(c.Name, "host: "+c.Reason)...)
	}
	// The file layer and the memory file use these directly.
	r = append(r, Allow("standard files: data at the host's shared position", "readv", "writev")...)
	r = append(r, Allow("donated files, memory file: data at a position", "pread64", "pwrite64", "preadv", "pwritev")...)
	r = append(r, Allow("standard files: data without waiting; donated files: data at the end", "preadv2", "pwritev2")...)
	r = append(r, Allow("donated files, memory file: size and holes", "fstat", "lseek", "ftruncate", "fallocate")...)
	r = append(r, Allow("donated files: a guest's fsync", "fsync", "fdatasync")...)
	r = append(r, AllowEach("standard files: terminals and queue lengths", "ioctl", 1, unix.TCGETS, unix.TCGETS2, unix.TCSETS, unix.TCSETSW, unix.TCSETSF,
		unix.TCSETS2, unix.TCSETSW2, unix.TCSETSF2, unix.TIOCGWINSZ, unix.TIOCSWINSZ, unix.TIOCINQ, unix.TIOCOUTQ,
		unix.TIOCGETD, unix.TCFLSH, unix.TCXONC, unix.TCSBRK, unix.TCSBRKP)...)
	r = append(r, AllowEach("gofer channels, control socket: orderly end", "shutdown", 1, unix.SHUT_RD, unix.SHUT_WR, unix.SHUT_RDWR)...)
	r = append(r, Rule{Name: "mmap", Args: []Arg{{3, unix.MAP_SHARED | unix.MAP_ANONYMOUS, unix.MAP_SHARED}, dataOnly},
		Reason: "windows of guest memory and donated files"})
	r = append(r, Allow("memory file: which pages there are", "mincore")...)
	r = append(r, Allow("readiness of host descriptors", "poll", "epoll_wait")...)
	r = append(r, Rule{Name: "mmap", Args: []Arg{{3, unix.MAP_SHARED | unix.MAP_ANONYMOUS, unix.MAP_SHARED | unix.MAP_ANONYMOUS}, dataOnly},
		Reason: "pages shared with stubs"})
	return r
}

// dataOnly is the condition that an mmap or mprotect asks for no execution.
var dataOnly = Only(2, unix.PROT_READ|unix.PROT_WRITE)

// narrow returns the rules for a call of package host.
func narrow(name, reason string) []Rule {
	switch name {
	case "fcntl":
		return AllowEach(reason, name, 1, unix.F_DUPFD_CLOEXEC, unix.F_GETFL, unix.F_SETFL, unix.F_GET_SEALS, unix.F_ADD_SEALS, unix.F_GETPIPE_SZ)
	case "futex":
		return nil // the runtime's rules have its operations
	}
	return []Rule{{Name: name, Reason: reason}}
}

// Gofer is the table of the gofer process.
func Gofer() Table {
	rules := runtimeRules()
	for _, c := range hostfs.Syscalls() {
		rules = append(rules, goferRules(c)...)
	}
	return Table{
		Zone:  "gofer",
		About: "runsc gofer: clones of the trees it serves and nothing else, file capabilities only, own PID, network and IPC namespaces",
		Rules: rules,
	}
}

// goferRules narrows what a call of the file server may be given, where its
// arguments are fixed.
func goferRules(c hostfs.Syscall) []Rule {
	reason := "files: " + c.Reason
	rule := func(args ...Arg) []Rule { return []Rule{{Name: c.Name, Args: args, Reason: reason}} }
	switch c.Name {
	case "shutdown":
		return rule(Eq32(1, unix.SHUT_RDWR))
	case "umask":
		return rule(Eq32(0, 0))
	case "mknodat":
		var all []Rule
		for _, typ := range []uint64{unix.S_IFIFO, unix.S_IFSOCK, unix.S_IFREG, 0} {
			all = append(all, rule(Arg{2, unix.S_IFMT, typ})...)
		}
		// The one device is the whiteout's, 0:0.
		return append(all, rule(Arg{2, unix.S_IFMT, unix.S_IFCHR}, Eq32(3, 0))...)
	case "fcntl":
		return AllowEach(reason, c.Name, 1, unix.F_OFD_SETLK, unix.F_OFD_GETLK, unix.F_DUPFD_CLOEXEC, unix.F_GETFD)
	case "flock":
		return AllowEach(reason, c.Name, 1, unix.LOCK_SH|unix.LOCK_NB, unix.LOCK_EX|unix.LOCK_NB, unix.LOCK_UN, unix.LOCK_UN|unix.LOCK_NB)
	case "socket":
		return rule(Eq32(0, unix.AF_UNIX))
	}
	return rule()
}

// Stub is the table of systrap's stubs, which run guest code. The platform
// compiles it itself.
func Stub() Table {
	return Table{
		Zone: "stub",
		About: "stub processes: guest code. Every call from outside the stub's code page is a SIGSYS, which hands the guest over to the " +
			"Sentry; these are the calls of that page. All but the first four also have to show a secret that no guest thread has",
		Rules: append(fromPlatform("", systrap.OpenSyscalls()), fromPlatform("", systrap.SecretSyscalls())...),
	}
}

// TracedStub is the table of ptrace's stubs.
func TracedStub() Table {
	return Table{
		Zone: "stub (ptrace)",
		About: "stub processes: guest code. What a guest calls is caught before the filter (ptrace); these are the calls that are " +
			"injected into it and those of the process it is forked from",
		Rules: fromPlatform("", ptrace.StubSyscalls(stubSocket)),
	}
}

// stubSocket stands for the descriptor of the zygote's command socket, which
// is only known at run time.
const stubSocket = 3

// fromPlatform writes a platform's rules as ours: one for each combination of
// the values its arguments may have.
func fromPlatform(prefix string, in []stub.Rule) []Rule {
	var out []Rule
	for _, r := range in {
		rules := []Rule{{Name: r.Name, Trap: r.Trap, Reason: prefix + r.Why}}
		for _, a := range r.Args {
			var more []Rule
			for _, base := range rules {
				for _, v := range a.Values {
					next := base
					next.Args = append(slices.Clone(base.Args), Arg{uint(a.Index), a.Mask, v})
					more = append(more, next)
				}
			}
			rules = more
		}
		out = append(out, rules...)
	}
	return out
}

// hostNetworkRules are what sockets of the host need, with --network=host:
// the kinds of socket and the options that package hostinet knows.
func hostNetworkRules() []Rule { return socketRules("host network: ", hostinet.Syscalls()) }

func socketRules(what string, calls []hostinet.Syscall) []Rule {
	var r []Rule
	for _, c := range calls {
		rule := Rule{Name: c.Name, Reason: what + c.Reason}
		for _, a := range c.Args {
			rule.Args = append(rule.Args, Arg{a.Index, uint64(a.Mask), uint64(a.Value)})
		}
		r = append(r, rule)
	}
	return r
}
