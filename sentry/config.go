package sentry

import (
	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/platform"
	"cordon/sentry/cred"
	"cordon/sentry/ktime"
	"cordon/sentry/task"
)

// A Config says what a sandbox is. Descriptors are the process's own, and the
// Kernel takes them over.
type Config struct {
	MemoryLimit uint64 // bytes; 0: the host's
	CPUs        int    // 0: the host's

	// HostMemory tells how much memory the host can still give, and has, in
	// bytes; 0, 0 if it cannot be told. nil: it never can.
	HostMemory func() (available, total uint64)

	// MemFile is an empty file for guest memory.
	MemFile int32

	// Loadavg is the host's /proc/loadavg (0: none), by which a platform knows whether
	// other programs want its CPUs.
	Loadavg int32

	// HostIPC is a socket to the porter of the host's IPC namespace, which the first
	// container is in then; 0: it has its own.
	HostIPC int32

	// Network is "none", "sandbox" or "host".
	Network string
	// UIDs and GIDs are the maps of the first user namespace, with the host's ids
	// outside; nil: it has every id.
	UIDs, GIDs []cred.IDMap

	// ContainerConfig is the first container's.
	ContainerConfig

	// CPUInfo is the host's /proc/cpuinfo.
	CPUInfo []byte

	// PlatformName is what runs guest code: "systrap" or "ptrace"; empty is
	// the better of those that work here.
	PlatformName string
	// Platform runs guest code instead if not nil (tests: sim). The Kernel
	// releases it.
	Platform platform.Platform
	// Clocks are the sandbox's if not nil, instead of the host's; a restored
	// sandbox's go on from where they were.
	Clocks *ktime.Clocks
	// Random fills p for the sandbox if not nil, instead of the host.
	Random func(p []byte)

	// Trace gets each line of the system call trace; nil for none. TraceCalls
	// are the calls to trace, all if empty.
	Trace      func(line []byte)
	TraceCalls []string
}

// A ContainerConfig says what a container of a sandbox has of its own.
type ContainerConfig struct {
	ID                   string
	Hostname, Domainname string

	// Gofer9P and GoferSide are the connection to its gofer (-1: none).
	Gofer9P, GoferSide int32
	// Mounter is a socket to the process by which mounts come to the host; 0: none.
	Mounter int32

	Mounts   []Mount
	Masked   []string
	ReadOnly []string
	Devices  []Device
	Sysctl   map[string]string
	// Files are put into the guest's tree before its first process is loaded.
	Files []File

	Process Process
	// PlainInit makes the first process an ordinary one for signals.
	PlainInit bool
	Stdio     [3]int32

	// Resources bound what it uses.
	Resources Resources

	// Join names the containers whose namespaces it shares.
	Join Join
	// Attach gives the stack of a network namespace of its own what it has beside its loopback; nil for nothing.
	Attach func(*netstack.Stack) error
	// Time makes a time namespace; nil: the container is in the first one.
	Time []TimeOffset
}

// A TimeOffset is by how much a time namespace shows a clock ahead, "monotonic" or
// "boottime".
type TimeOffset struct {
	Clock     string
	Sec, Nsec int64
}

// Join names, for each kind of namespace, the container of the sandbox whose
// namespace a new container shares; empty is a new one.
type Join struct {
	PID, IPC, UTS, Net, User, Cgroup, Time string
}

// A Mount is one mount of the guest's tree, in order; the first is "/". Type is
// "gofer", "tmpfs", "proc", "sysfs", "dev", "devpts", "mqueue" or "cgroup".
type Mount struct {
	Source      string // what mountinfo shows; empty for the type
	Destination string
	Type        string
	Attach      string // the gofer's name of the tree
	Place       string // what mountinfo shows as the tree's path in its file system
	File        bool   // the tree is a single file
	Overlay     bool   // with a writable layer in memory above it
	Shared      bool   // others change the tree
	Flags       linux.MountFlags
	Options     string // what is left for the file system, comma separated

	// UIDs and GIDs show the file system's ids, inside, as others; nil: as they are.
	UIDs, GIDs []cred.IDMap

	// Propagation is one of MS_SHARED, MS_SLAVE and MS_UNBINDABLE, with MS_REC perhaps; 0
	// is private.
	Propagation linux.MountFlags
	// ToHost has mounts below come to the host, if it is shared.
	ToHost bool
}

// A File is a regular file to make, in a directory that exists.
type File struct {
	Path string
	Mode linux.FileMode
	Data []byte
}

// A Device is a node to make.
type Device struct {
	Path         string
	Mode         linux.FileMode // with type
	Major, Minor uint32
	UID, GID     uint32
}

// A Process is a program to start.
type Process struct {
	Args, Env []string
	Path      string // the program, if it is not Args[0]
	Cwd       string
	MakeCwd   bool
	// SetHome adds HOME where Env has none, by the guest's /etc/passwd.
	SetHome bool

	UID, GID uint32
	Groups   []uint32
	// UserName is looked up in the guest's /etc/passwd instead if not empty.
	UserName string
	Umask    linux.FileMode

	Bounding, Effective, Inheritable, Permitted, Ambient uint64
	NoNewPrivs                                           bool

	Limits map[linux.Resource]linux.Rlimit
	OOMAdj int32

	Personality linux.Personality
	IOPrio      uint16
	// Sched is nil for the default; CPUs, empty for all, are the processors it
	// may run on.
	Sched *task.Scheduling
	CPUs  []int

	// Seccomp is the filter that it starts under, as struct sock_filter; empty
	// for none.
	Seccomp []byte

	// Terminal gives the process a terminal of the sandbox's own, joined to
	// the host's terminal at its standard input.
	Terminal   bool
	Rows, Cols uint16

	// Cgroup is a control group below the container's own; empty: that itself.
	Cgroup string

	// Passed are host descriptors that it has from 3 on beside its standard files.
	Passed []int32
	// Sockets lets sockets among them be sockets inside (before there is a filter); else they can be read and
	// written only.
	Sockets bool
}

// An ErrorKind classes why a program could not be started.
type ErrorKind uint8

const (
	// Other: a mount, a user, the working directory.
	Other ErrorKind = iota
	// NotFound: no such program.
	NotFound
	// NotExecutable: it exists and cannot be executed.
	NotExecutable
)

// A StartError says in one line why a program could not be started.
type StartError struct {
	Kind    ErrorKind
	Message string
}

func (e *StartError) Error() string { return e.Message }
