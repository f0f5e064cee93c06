package lock

// order is the one statement of cordon's lock order. A lock may be taken only
// while every lock that the goroutine holds stands on an earlier line; locks on
// one line never nest. Words before the dash are ranks, what follows says what
// the locks guard.
//
// To add a rank: one type below, one word here; then go test ./internal/lock
// -update writes docs/locks.md.
const order = `
	FilePos - an open description's offset, held across its reads and writes
	TextFile - the text of one pass over a file of the kernel's values
	MountContext - what a file system is to be made of (fsopen)
	RenameFS - one file system's renames between directories
	DentryDir - one directory's children in the dentry cache
	CopyUp - an object's copy to the upper layer of a mounted overlay
	Kernel - the kernel object's own tables
	FDTable - descriptor numbers
	FSContext - root, working directory, umask
	MountNamespace - the mount tree
	Mount - one mount's options and peers
	Dentry - one dentry's name, parent and references
	Landlock - the rules of a landlock ruleset
	MountTree - what is mounted where, in every mount namespace
	DentryCache - the ring of cached dentries
	EpollNesting - one sandbox's epoll instances that begin to watch one another
	Epoll - an epoll instance's interest list
	TaskSet - all thread groups, sessions and pid numbers
	ThreadGroup - one process: its threads, children, timers, exit state
	SignalHandlers - signal actions, shared by clone's CLONE_SIGHAND
	Task - one thread: pending signals, credentials, names
	Cgroups - the guest's tree of control groups
	File - an open file description's offset and flags
	InodeData - an inode's data as a whole: an append, a copy to an overlay's upper file
	Inode - an inode's attributes and contents
	GoferNames - the names in a gofer's directory
	Netfilter - a network namespace's packet filter, while it is changed
	NetConf - what a network namespace keeps of its addresses and routes beside the stack
	SocketNames - a network namespace's abstract names and list of sockets
	SocketRead - one reader of a socket at a time
	SocketFlight - which unix sockets are in messages, and the bound ones
	Socket - a socket's state
	LinkReceiver - who receives a link's frames and hands them on
	StreamRead - one reader of a TCP endpoint at a time
	StreamWrite - one writer to a TCP endpoint at a time
	StreamBacklog - segments that wait for the end of a call
	ConnTrack - the connections that a packet filter follows
	PacketQueue - frames and errors for a socket; the stack delivers them with locks of connections held
	Pipe - a pipe's slots and ends
	FileLocks - record locks and flocks of one inode
	LockWaits - who waits for whose record locks
	TTY - a terminal pair's line discipline and buffers
	TTYControl - a terminal's session and foreground group
	Futex - one bucket of a futex table
	MM - an address space's mappings
	MMActive - an address space's platform side and page tables
	MMSleepers - who sleeps on an address space's futexes
	SharedText - the pages and patches of a file's text that address spaces share
	SharedTexts - all shared texts, and what they may take
	IPCTable - identifiers and keys of System V objects
	IPC - a System V or POSIX queue, semaphore set or segment; mappings count its attachments
	IPCUndo - the sets that one process has semaphore adjustments in
	TimePages - the pages that show the clocks of time namespaces; mappings count themselves
	FileData - an inode's attributes, names and index of pages, where mappings ask for it
	Mappings - who maps a file's ranges
	MemFile - allocation of guest memory
	Gofer - calls to a gofer in progress, handles to give back
	Platform - contexts, stubs and their pools
	Inotify - an inotify instance's watches and events
	SeccompListener - the calls that wait in a seccomp listener
	Programs - the numbers of eBPF programs
	EventCount - an eventfd's, timerfd's or signalfd's state
	HostNotifier - descriptors of the host that are watched
	Timer - armed timers
	Clock - alarms of a clock that can be set
	VirtualTime - the time of tests
	TaskTimes - how much of its threads' time in the guest a process has run
	Netstack - a TCP/IP stack's table of endpoints
	Bridge - what a bridge knows of stations, and what is set of it
	TunQueue - packets for the program behind a link
	SocketOptions - options of one socket
	WaitQueue - waiters of one object; callbacks under it only mark and wake
	EpollReady - an epoll instance's ready list
	Workers - threads without a task, and tasks that wait for one
	Log - the log's writer
`

// A rank is an empty struct that embeds ranked; its type name is its word in
// the order.
type (
	FilePos         struct{ ranked }
	MountContext    struct{ ranked }
	Kernel          struct{ ranked }
	TaskSet         struct{ ranked }
	ThreadGroup     struct{ ranked }
	SignalHandlers  struct{ ranked }
	Task            struct{ ranked }
	Cgroups         struct{ ranked }
	FDTable         struct{ ranked }
	FSContext       struct{ ranked }
	MountNamespace  struct{ ranked }
	Mount           struct{ ranked }
	RenameFS        struct{ ranked }
	DentryDir       struct{ ranked }
	CopyUp          struct{ ranked }
	Dentry          struct{ ranked }
	Landlock        struct{ ranked }
	MountTree       struct{ ranked }
	DentryCache     struct{ ranked }
	EpollNesting    struct{ ranked }
	Epoll           struct{ ranked }
	File            struct{ ranked }
	InodeData       struct{ ranked }
	TextFile        struct{ ranked }
	Inode           struct{ ranked }
	GoferNames      struct{ ranked }
	Netfilter       struct{ ranked }
	ConnTrack       struct{ ranked }
	NetConf         struct{ ranked }
	SocketNames     struct{ ranked }
	SocketFlight    struct{ ranked }
	SocketRead      struct{ ranked }
	Socket          struct{ ranked }
	Netstack        struct{ ranked }
	Bridge          struct{ ranked }
	TunQueue        struct{ ranked }
	SocketOptions   struct{ ranked }
	LinkReceiver    struct{ ranked }
	StreamRead      struct{ ranked }
	StreamWrite     struct{ ranked }
	StreamBacklog   struct{ ranked }
	PacketQueue     struct{ ranked }
	Pipe            struct{ ranked }
	FileLocks       struct{ ranked }
	LockWaits       struct{ ranked }
	MM              struct{ ranked }
	MMActive        struct{ ranked }
	SharedText      struct{ ranked }
	SharedTexts     struct{ ranked }
	FileData        struct{ ranked }
	TimePages       struct{ ranked }
	Mappings        struct{ ranked }
	MemFile         struct{ ranked }
	Gofer           struct{ ranked }
	Platform        struct{ ranked }
	Timer           struct{ ranked }
	WaitQueue       struct{ ranked }
	Workers         struct{ ranked }
	Log             struct{ ranked }
	TTY             struct{ ranked }
	TTYControl      struct{ ranked }
	Inotify         struct{ ranked }
	SeccompListener struct{ ranked }
	Programs        struct{ ranked }
	EventCount      struct{ ranked }
	HostNotifier    struct{ ranked }
	IPCTable        struct{ ranked }
	IPCUndo         struct{ ranked }
	IPC             struct{ ranked }
	Futex           struct{ ranked }
	MMSleepers      struct{ ranked }
	Clock           struct{ ranked }
	VirtualTime     struct{ ranked }
	EpollReady      struct{ ranked }
	TaskTimes       struct{ ranked }
)
