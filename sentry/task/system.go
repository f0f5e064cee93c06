package task

import (
	"sync"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/platform"
	"cordon/platform/memfile"
	"cordon/sentry/cgroup"
	"cordon/sentry/cred"
	"cordon/sentry/ebpf"
	"cordon/sentry/file/epoll"
	"cordon/sentry/file/inotify"
	"cordon/sentry/fs/tmpfs"
	"cordon/sentry/futex"
	"cordon/sentry/ipc"
	"cordon/sentry/ktime"
	"cordon/sentry/socket"
	"cordon/sentry/vfs"
)

// MaxTasks bounds the tasks of a sandbox (kernel.threads-max); each costs two
// host threads.
const MaxTasks = 16384

// MaxPID is kernel.pid_max: ids are below it.
const MaxPID = 4194304

// A Calls table runs system calls. sentry/syscalls provides it.
type Calls interface {
	// Call runs call nr for t, traced if that is on.
	Call(t *Task, nr uintptr, args *[6]uintptr) (uintptr, error)
}

// A Loader makes the address space of a new program. sentry/loader provides it.
type Loader interface {
	Load(t *Task, args *ExecArgs) (*Image, error)
}

// A System is what all tasks of a sandbox share.
type System struct {
	// immutable
	Platform  platform.Platform
	Memory    *memfile.File
	VFS       *vfs.VFS
	PlainInit bool // process 1 has no protection from signals
	Clocks    *ktime.Clocks
	Futexes   *futex.Table
	Calls     Calls
	Loader    Loader
	UserNS    *cred.UserNamespace
	Random    func(p []byte) // from the host's generator
	NewIPC    NewIPC         // makes IPC namespaces
	// NewNet makes a network namespace with one reference, whose capabilities are
	// held in user.
	NewNet      func(user *cred.UserNamespace) (*socket.Namespace, linux.Errno)
	NumCPU      int
	Traced      bool   // every call is to reach Calls
	MemoryLimit uint64 // bytes
	// Sockets are the address families there are, nil for none.
	Sockets *socket.Registry
	// Memfds is the file system of memfd_create(2), mounted nowhere.
	Memfds *tmpfs.FS
	// Epoll is what all epoll instances share; it has its own lock.
	Epoll epoll.Shared
	// Inotify is what all inotify instances share, likewise.
	Inotify inotify.Shared
	// Lookout returns a lookout for a task that goes to sleep, or nil. It may be nil
	// itself.
	Lookout func() Lookout
	// Turn is nil, or lets one task run at a time (sim).
	Turn Turn
	// Cgroups is the tree of control groups; Init makes one where there is none.
	Cgroups *cgroup.Hierarchy
	// Programs are the eBPF programs; likewise.
	Programs *ebpf.Programs
	// Reserve is what the sandbox needs of its limit for itself; nil: nothing.
	Reserve Reserve
	// Reclaim has caches give memory back; nil: there are none.
	Reclaim func()
	// OnOOM is told of processes that are killed for memory; it may be nil.
	OnOOM func(OOMEvent)

	idTables

	// tree guards who is whose parent, child, member, leader and zombie.
	tree treeLock

	// guarded by tree
	tasks    map[int32]*Task // by tid; a zombie leader stays until reaped
	groups   map[int32]*ProcessGroup
	sessions map[int32]*Session
	lastPID  int32
	freezing int // how many hold the system frozen
	allGone  chan struct{}
	live     int  // goroutines running
	holds    int  // that Release has not undone
	over     bool // the last task has ended, and nobody held the system

	// atomic
	frozen atomic.Int32
	first  atomic.Pointer[Namespaces]
	// HostMemory is the host's limit of the sandbox, with all that it is, in
	// bytes; 0: none.
	HostMemory atomic.Int64
	reclaimed  atomic.Int64  // when caches were emptied
	maxTasks   atomic.Int64  // 0: MaxTasks
	started    atomic.Uint64 // tasks ever made (/proc/stat processes)

	late       lateNudges
	workers    workers
	spare      sync.Once // addSpareProcs
	frozenMu   sync.Mutex
	frozenCond *sync.Cond
	cpuAlarms  cpuAlarms
	load       loadAverages
	watch      watch
	kernel     kernelMemory
}

// treeLock is System's first lock.
type treeLock struct {
	lock.RWMutex[lock.TaskSet]
}

// Init makes the tables. Called once, before the first task.
func (s *System) Init() {
	s.tasks = make(map[int32]*Task)
	s.groups = make(map[int32]*ProcessGroup)
	s.sessions = make(map[int32]*Session)
	s.allGone = make(chan struct{})
	s.makeIDTables()
	s.frozenCond = sync.NewCond(&s.frozenMu)
	s.watch.again = sync.NewCond(&s.watch.mu)
	if s.Cgroups == nil {
		s.Cgroups = cgroup.New()
	}
	if s.Programs == nil {
		s.Programs = new(ebpf.Programs)
	}
}

// FirstNamespaces are those that the first process began in, nil before it is there.
func (s *System) FirstNamespaces() *Namespaces { return s.first.Load() }

// InitGroup returns process 1.
func (s *System) InitGroup() *ThreadGroup {
	s.tree.RLock()
	defer s.tree.RUnlock()
	return s.pids.init
}

// Task returns the thread tid, a zombie too, or nil.
func (s *System) Task(tid int32) *Task {
	s.tree.RLock()
	defer s.tree.RUnlock()
	return s.tasks[tid]
}

// Process returns the thread group whose leader has id pid, or nil.
func (s *System) Process(pid int32) *ThreadGroup {
	t := s.Task(pid)
	if t == nil || t.group.ID() != pid {
		return nil
	}
	return t.group
}

// Lives reports whether a thread that has the number tid, in any PID namespace,
// has not ended: a zombie has.
func (s *System) Lives(tid int32) bool {
	s.tree.RLock()
	defer s.tree.RUnlock()
	if t := s.tasks[tid]; t != nil && t.exitState < zombie {
		return true
	}
	if len(s.inner) == 0 {
		return false
	}
	for id, t := range s.tasks {
		for n := t.group.pids; n.level > 0; n = n.parent {
			if n.numbers[id] == tid && t.exitState < zombie {
				return true
			}
		}
	}
	return false
}

// Tasks returns every thread, in order of id.
func (s *System) Tasks() []*Task {
	s.tree.RLock()
	defer s.tree.RUnlock()
	return sortedByTID(s.tasks)
}

// Processes returns every thread group that is not reaped, in order of id.
func (s *System) Processes() []*ThreadGroup {
	var out []*ThreadGroup
	for _, t := range s.Tasks() {
		if t.TID() == t.group.ID() {
			out = append(out, t.group)
		}
	}
	return out
}

// Started returns how many tasks were ever made, and LastPID the newest id.
func (s *System) Started() uint64 { return s.started.Load() }

// LastPID returns the newest id given.
func (s *System) LastPID() int32 {
	s.tree.RLock()
	defer s.tree.RUnlock()
	return s.lastPID
}

// CPUs is how many processors the guest sees.
func (s *System) CPUs() int { return s.NumCPU }

// Gone is closed when the last task has ended.
func (s *System) Gone() <-chan struct{} { return s.allGone }

// NewIPC makes an empty IPC namespace with one reference, for by in the user namespace
// that is to own it; both are nil for the sandbox itself.
type NewIPC func(by *cred.Credentials, user *cred.UserNamespace) *ipc.Namespace

// A Namespaces is the set that clone and unshare change as one.
type Namespaces struct {
	Mount *vfs.MountNamespace
	UTS   *UTSNamespace
	IPC   any // *ipc.Namespace
	Net   any // *socket.Namespace
	// PID is the one that children are put into; nil is the task's own.
	PID *PIDNamespace
	// Cgroup is the view of the control groups; nil is the whole tree.
	Cgroup *CgroupNamespace
	// Time is the task's own, and TimeForChildren what children with memory of
	// their own, and the task itself by an exec, go into.
	Time, TimeForChildren *TimeNamespace
}

// A UTSNamespace holds the host name (uts_namespaces(7)).
type UTSNamespace struct {
	// immutable
	user *cred.UserNamespace // that owns it; nil: the first

	mu sync.Mutex
	// guarded by mu
	host, domain string
}

// NewUTS returns a namespace with these names.
func NewUTS(host, domain string) *UTSNamespace { return &UTSNamespace{host: host, domain: domain} }

// Names returns the host's and the domain's name.
func (u *UTSNamespace) Names() (host, domain string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.host, u.domain
}

// SetHost changes the host name.
func (u *UTSNamespace) SetHost(s string) { u.mu.Lock(); u.host = s; u.mu.Unlock() }

// SetDomain changes the NIS domain name.
func (u *UTSNamespace) SetDomain(s string) { u.mu.Lock(); u.domain = s; u.mu.Unlock() }

// Fork returns a copy.
func (u *UTSNamespace) Fork() *UTSNamespace { return NewUTS(u.Names()) }

// loadAverages are exponentially damped counts of runnable tasks.
type loadAverages struct {
	mu sync.Mutex
	// guarded by mu
	at  int64
	avg [3]float64
}
