package boot

// SpecVersion is the version of Spec. Both sides are the same binary, so a
// difference means that the binary was replaced between the two starts.
const SpecVersion = 5

// A Spec says everything about a sandbox that its kernel has to know. It is
// plain data: descriptors are numbers in the boot process, already open when
// it starts.
type Spec struct {
	Version int

	// Platform runs guest code: "systrap", "ptrace", or the empty string for the
	// default.
	Platform string

	// Network is what the sandbox's sockets stand on.
	Network NetworkMode

	// MemoryLimit bounds the guest's memory in bytes; 0 is no bound.
	MemoryLimit uint64
	// CPUs is the number of processors the guest sees; 0 is the host's.
	CPUs int

	// UIDs and GIDs are the ids that guests have, with the host's outside; none is
	// every id.
	UIDs, GIDs []IDMap

	// Container is the sandbox's first. Further ones join it by OpCreate. The
	// sandbox ends with its last container, or with the first if that has no keeper
	// (FDs.Keeper).
	Container

	// CPUInfo is the host's /proc/cpuinfo, which the boot process cannot read.
	CPUInfo []byte

	// Trace is what --strace asks for.
	Trace Trace

	FDs FDs

	// Filter is the Sentry's own system call filter as a classic BPF program
	// (struct sock_filter, host order). Main installs it; the kernel ignores it.
	Filter []byte
	// StubFilter is the filter the platform's stubs run under.
	StubFilter []byte

	// Hold makes Main wait for a start call before it calls Kernel.Start
	// (`create`); without it the process starts at once (`run`, `do`).
	Hold bool
	// TiedToParent ends the sandbox when the other end of FDs.Lifeline closes.
	TiedToParent bool
}

// An IDMap is a line of a user namespace's map: Count ids from Inside on are the
// host's from Outside on.
type IDMap struct{ Inside, Outside, Count uint32 }

// A Container is what each container of a sandbox has of its own: a tree of
// mounts, a first process, and namespaces.
type Container struct {
	// ID is the container's identifier.
	ID string

	// Hostname and Domainname start the UTS namespace.
	Hostname   string
	Domainname string

	// Mounts are made in order; the first is the root ("/").
	Mounts []Mount
	// MaskedPaths read as empty; ReadonlyPaths refuse writes. Both follow the
	// mounts; a path that does not exist is skipped.
	MaskedPaths   []string
	ReadonlyPaths []string
	// Devices are made in /dev beside the usual ones.
	Devices []Device
	// Sysctl are written to /proc/sys before the first process runs.
	Sysctl map[string]string

	// Process is the container's first process.
	Process Process
	// PlainInit makes the first process an ordinary one for signals: one that
	// it does not handle has its default action (`do`). Without it Linux's
	// rule for process 1 holds.
	PlainInit bool

	// Resources bound what the container uses inside.
	Resources Resources

	// Time makes a time namespace with these offsets; nil is the sandbox's.
	Time []TimeOffset

	// Namespaces are those that the container shares with another of its
	// sandbox; the first container has none to share.
	Namespaces Namespaces
}

// Namespaces name, for each kind, the container of the same sandbox whose
// namespace is joined. The empty string is a new one.
// Mounts are always a container's own.
type Namespaces struct {
	PID, IPC, UTS, Net, User, Cgroup, Time string
}

// A TimeOffset is by how much a clock, "monotonic" or "boottime", is shown ahead.
type TimeOffset struct {
	Clock     string
	Sec, Nsec int64
}

// NetworkMode says what the sandbox's sockets stand on.
type NetworkMode string

const (
	// NetworkNone has a loopback interface that is down and nothing else.
	NetworkNone NetworkMode = "none"
	// NetworkSandbox is a user-space network stack of the sandbox's own.
	NetworkSandbox NetworkMode = "sandbox"
	// NetworkUser is NetworkSandbox with a way out by sockets of the host that a
	// broker process opens.
	NetworkUser NetworkMode = "user"
	// NetworkHost passes sockets on to the host's stack.
	NetworkHost NetworkMode = "host"
)

// Mount types that the kernel is asked for.
const (
	// MountGofer is a tree (or a single file) that the gofer serves.
	MountGofer = "gofer"
	// MountTmpfs is memory.
	MountTmpfs = "tmpfs"
	MountProc  = "proc"
	MountSysfs = "sysfs"
	// MountDev is the usual /dev: null zero full random urandom tty console
	// ptmx, and the links fd stdin stdout stderr. pts, shm and mqueue are
	// mounts of their own in the list.
	MountDev    = "dev"
	MountDevpts = "devpts"
	MountMqueue = "mqueue"
	MountCgroup = "cgroup"
)

// A Mount is one mount of the guest's tree. The kernel makes a destination
// that does not exist (a directory, or a file where File is set).
type Mount struct {
	Destination string
	Type        string
	// Source is what mountinfo shows; empty for the type.
	Source string

	// Place is what mountinfo shows as the root's path in its file system, for
	// MountGofer; empty for "/".
	Place string
	// Attach is the name to give in the 9P attach, for MountGofer.
	Attach string
	// File is set where the attach point is not a directory.
	File bool
	// Overlay puts a writable layer in memory over the gofer's tree, which is
	// then never written to.
	Overlay bool
	// Shared is set where someone outside the sandbox may change the tree: its
	// entries and attributes are asked for again on every use.
	Shared bool

	ReadOnly bool
	NoExec   bool
	NoSUID   bool
	NoDev    bool
	NoAtime  bool
	// NoDirAtime and NoSymFollow are MS_NODIRATIME and MS_NOSYMFOLLOW.
	NoDirAtime, NoSymFollow bool

	// UIDs and GIDs show the file system's ids, inside, as the guest's outside; none:
	// as they are.
	UIDs, GIDs []IDMap

	// Propagation is how the guest's mounts on it and below spread among namespaces
	// inside: "shared", "slave", "unbindable", with an "r" before it for all mounts
	// below too; empty is private.
	Propagation string
	// ToHost has the guest's mounts below come to the host, while it is shared.
	ToHost bool

	// Options are what remains for the file system, as key=value ("size=64m",
	// "mode=1777", "uid=5").
	Options []string
}

// A Device is a node to make in the guest's /dev.
type Device struct {
	Path         string
	Type         string // "c", "b" or "p"
	Major, Minor int64
	Mode         uint32
	UID, GID     uint32
}

// A Process is a program to start, the first of the container or one that
// `exec` adds.
type Process struct {
	Args []string
	// Path is the program, if it is not what Args begin with.
	Path string
	Env  []string
	// Cwd is an absolute path in the container. The kernel makes it where it
	// does not exist if MakeCwd is set.
	Cwd     string
	MakeCwd bool
	// SetHome adds HOME to an environment without it, from the account files of
	// the container.
	SetHome bool

	UID            uint32
	GID            uint32
	AdditionalGIDs []uint32
	// Umask is nil for 022.
	Umask        *uint32
	Capabilities Capabilities
	NoNewPrivs   bool
	Rlimits      []Rlimit
	OOMScoreAdj  *int

	// Terminal gives the process a new session with a terminal of the
	// sandbox's own as its standard files and controlling terminal. What is
	// written to it goes to Stdio[0], a host terminal in raw mode, and the
	// other way round.
	Terminal   bool
	Rows, Cols uint16

	// Personality is personality(2)'s; IOPrio is ioprio_set(2)'s.
	Personality uint32
	IOPrio      uint16
	// Scheduler is nil for the default; CPUs, empty for all, are the processors
	// it may run on.
	Scheduler *Scheduler
	CPUs      []int

	// Early lets `exec` start it in a container that has not been started (a
	// hook), IgnorePaused in one that is paused, where it waits.
	Early, IgnorePaused bool

	// Cgroup is a group of the container's own tree, as a path from its root, that
	// the process starts in; empty for the root.
	Cgroup string

	// Filter is a seccomp program (classic BPF on the guest's seccomp_data)
	// that the process starts under; empty for none.
	Filter []byte
}

// A Scheduler is what sched_setattr(2) sets.
type Scheduler struct {
	Policy         uint32
	Nice, Priority int32
	ResetOnFork    bool
}

// Capabilities are the five sets as bit masks.
type Capabilities struct {
	Bounding, Effective, Inheritable, Permitted, Ambient uint64
}

// An Rlimit is one resource limit. Resource is Linux's number.
type Rlimit struct {
	Resource   int
	Soft, Hard uint64
}

// Trace says which system calls are logged, in strace's form.
type Trace struct {
	Enabled bool
	// Calls are names; empty means all.
	Calls []string
	// FD is where lines are written; -1 for FDs.Log.
	FD int
}

// FDs are descriptors of the boot process. -1 is none.
type FDs struct {
	// Stdio are the first process's standard files, Passed what it has from
	// descriptor 3 on.
	Stdio  [3]int
	Passed []int
	// Gofer9P and GoferDonate are the 9P stream and the SEQPACKET channel that
	// carries descriptors. -1 where no mount needs a gofer.
	Gofer9P     int
	GoferDonate int
	// MemFile is the file that guest memory is taken from, empty.
	MemFile int
	// Meminfo is the host's /proc/meminfo; -1 where there is none.
	Meminfo int
	// Control is the listening control socket; -1 for none.
	Control int
	// Loadavg is the host's /proc/loadavg; -1 for none.
	Loadavg int
	// Image is the file of a checkpoint to restore; -1 for none.
	Image int
	// Log is where log lines go.
	Log int
	// Lifeline is the read end of a pipe whose other end the parent holds.
	Lifeline int
	// Network is a socket that the Network comes from; -1 for none.
	Network int
	// Keeper is the socket to the first container's keeper (join.go); -1 where the
	// boot process itself carries the container's pid.
	Keeper int
	// Herald is a socket to the process that tells the host's memory cgroup of
	// kills for memory; -1 for none.
	Herald int
	// Porter is a socket to the process that makes System V calls in the host's
	// IPC namespace; -1 for none.
	Porter int
	// Mounter is a socket to the process by which mounts come to the host; -1 for none.
	Mounter int
	// Ready is the write end of a pipe on which Main reports that the sandbox
	// stands, or why it does not.
	Ready int
}

// ErrorKind classes a failure to start a program, for the exit code.
type ErrorKind string

const (
	// ErrNotFound: no such program (exit code 127).
	ErrNotFound ErrorKind = "not found"
	// ErrNotExecutable: it exists and cannot be executed (exit code 126).
	ErrNotExecutable ErrorKind = "not executable"
	// ErrOther is any other failure: a mount, a user, the working directory.
	ErrOther ErrorKind = "other"
)

// A StartError says why a program could not be started. Message is one line
// that names the thing ("exec: \"foo\": executable file not found in $PATH").
type StartError struct {
	Kind    ErrorKind
	Message string
}

func (e *StartError) Error() string { return e.Message }

// InitPID names the first process of the container that a call is for,
// whatever its number is. Other pids are those of the sandbox's first PID
// namespace, the first container's, in which every process has one.
const InitPID = 1

// A Guest is one container of a Kernel. All methods may be called from any
// goroutine. A new one has its mounts, and its first process loaded but not
// running, so that a missing program is known then.
type Guest interface {
	// Start lets the first process run. It is called once.
	Start() error

	// Exec starts another process; stdio and passed, its descriptors from 3 on, are
	// host descriptors that the kernel takes over, in a failure too. A StartError
	// says why it could not.
	Exec(p *Process, stdio [3]int, passed []int) (pid int32, err error)

	// Wait blocks until the process ends and returns its status as wait(2)
	// gives it. It works for the first process and those of Exec, once each;
	// any other pid is an error.
	Wait(pid int32) (status uint32, err error)

	// Signal sends sig to a process (ErrNoProcess when it is gone), with pid 0
	// to every process of the container, with a negative pid to the process
	// group -pid.
	Signal(pid int32, sig int) error

	// Processes lists what `ps` shows of the container.
	Processes() []ProcessInfo
}

// A Kernel is the Sentry of one sandbox, and the Guest that is its first
// container (NewKernel).
type Kernel interface {
	Guest

	// Add makes a further container. It takes over the descriptors, in a
	// failure too. A StartError says why it could not.
	Add(c *Container, fds ContainerFDs) (Guest, error)

	// Remove ends every process of a container and lets go of its mounts and its
	// gofer. It returns when they are gone; Wait for its processes returns meanwhile.
	// Other containers go on.
	Remove(g Guest)

	// Stop ends every guest process and the platform's stubs. After it Wait
	// returns at once.
	Stop()
}

// ContainerFDs are the descriptors of a container that joins: as in FDs.
type ContainerFDs struct {
	Stdio                [3]int
	Passed               []int
	Gofer9P, GoferDonate int
	Mounter              int
	Network              int // only of a container with a network of its own
}

// A Pauser is a Guest that can stop all its code between two instructions.
type Pauser interface {
	Pause() error
	Resume() error
}

// A Losable is a Guest that may lose what it cannot be without, its gofer: the channel
// is closed then.
type Losable interface {
	Lost() <-chan struct{}
}

// A Resizer is a Guest whose terminals can be resized. pid is the process
// that was started with the terminal.
type Resizer interface {
	Resize(pid int32, rows, cols uint16) error
}

// An Inspector is a Kernel that can describe its tasks for `debug stacks`:
// what each is running and where each goroutine of the Sentry stands.
type Inspector interface {
	Stacks() string
}

// A ProcessInfo is one line of `ps`.
type ProcessInfo struct {
	PID, PPID, PGID, SID int32
	UID, RUID, GID       uint32
	Threads              int
	State                string // a letter as in /proc/PID/stat
	TTY                  string // "pts/0" or "?"
	Foreground           bool   // in its terminal's foreground
	StartTimeS           int64  // seconds since the epoch
	CPUTimeNS            int64
	Nice, CPU            int32
	VirtualBytes         uint64
	ResidentBytes        uint64
	Command              string
	Args                 []string
}

// NewKernel builds the Sentry for a spec. It is called before the process's
// filter is installed: whatever needs system calls that the filter does not
// allow (the platform's zygote) is done here.
type NewKernel func(s *Spec) (Kernel, error)
