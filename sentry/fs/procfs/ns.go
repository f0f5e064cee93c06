package procfs

import (
	"fmt"
	"maps"

	"cordon/internal/linux"
	"cordon/sentry/ipc"
	"cordon/sentry/socket"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// Numbers of the first namespace of each kind, as Linux gives them, and the
// first number of others (include/linux/proc_ns.h).
const (
	timeInitNS   = 4026531834
	cgroupInitNS = 4026531835
	pidInitNS    = 4026531836
	userInitNS   = 4026531837
	utsInitNS    = 4026531838
	ipcInitNS    = 4026531839
	netInitNS    = 4026531840
	mntInitNS    = 4026531841
	firstFreeNS  = 4026532000
)

// maxNSIDs is how many numbers are kept before those of namespaces that no task
// is in are forgotten.
const maxNSIDs = 1024

// A Namespace is the File of an opened /proc/pid/ns/* (setns(2)).
type Namespace struct {
	// Kind is the CLONE_NEW* flag.
	Kind linux.CloneFlags
	// Object is the member of task.Namespaces, or nil where all tasks are in
	// the one namespace of the kind.
	Object any

	fs *FileSystem
}

// Release implements vfs.File.
func (*Namespace) Release() {}

// nsKind is one name in /proc/pid/ns.
type nsKind struct {
	name  string // of the link
	label string // before the number
	flag  linux.CloneFlags
	first uint32
	of    func(t *task.Task) any
}

var nsKinds = []nsKind{
	{"cgroup", "cgroup", linux.CLONE_NEWCGROUP, cgroupInitNS, func(t *task.Task) any { return t.Namespaces().Cgroup }},
	{"ipc", "ipc", linux.CLONE_NEWIPC, ipcInitNS, func(t *task.Task) any { return t.Namespaces().IPC }},
	{"mnt", "mnt", linux.CLONE_NEWNS, mntInitNS, func(t *task.Task) any { return t.Namespaces().Mount }},
	{"net", "net", linux.CLONE_NEWNET, netInitNS, func(t *task.Task) any { return t.Namespaces().Net }},
	{"pid", "pid", linux.CLONE_NEWPID, pidInitNS, func(t *task.Task) any { return t.Group().PIDs() }},
	{"pid_for_children", "pid", linux.CLONE_NEWPID, pidInitNS, pidsForChildren},
	{"time", "time", linux.CLONE_NEWTIME, timeInitNS, func(t *task.Task) any { return timeNS(t.Namespaces().Time) }},
	{"time_for_children", "time", linux.CLONE_NEWTIME, timeInitNS, func(t *task.Task) any { return timeNS(t.Namespaces().TimeForChildren) }},
	{"user", "user", linux.CLONE_NEWUSER, userInitNS, func(t *task.Task) any { return t.Cred().UserNS }},
	{"uts", "uts", linux.CLONE_NEWUTS, utsInitNS, func(t *task.Task) any { return t.Namespaces().UTS }},
}

// timeNS is n as a key: nil without a type for the first.
func timeNS(n *task.TimeNamespace) any {
	if n == nil {
		return nil
	}
	return n
}

// pidsForChildren is the namespace that t's children are put into, once it has
// had its first.
func pidsForChildren(t *task.Task) any {
	n := t.Namespaces().PID
	switch {
	case n == nil:
		return t.Group().PIDs()
	case n.Init() == nil:
		return nil
	}
	return n
}

func newNSNames(f *FileSystem, p *proc, ino uint64) names {
	entries := make([]entry, 0, len(nsKinds))
	for i := range nsKinds {
		k := &nsKinds[i]
		entries = append(entries, entry{
			name: k.name, mode: link,
			readlink: func(c *vfs.Caller, p *proc) (string, error) {
				_, id, err := k.find(c, p)
				return k.text(id), err
			},
			follow: k.follow,
		})
	}
	return f.newTable(p, ino, entries)
}

// find returns the namespace that p is in, and its number.
func (k *nsKind) find(c *vfs.Caller, p *proc) (object any, id uint32, err error) {
	t, err := looked(c, p)
	if err != nil {
		return nil, 0, err
	}
	if k.of == nil {
		return nil, k.first, nil
	}
	// A process that has ended is in no network, and so on.
	if object = k.of(t); object == nil && k.flag&(linux.CLONE_NEWPID|linux.CLONE_NEWNET|linux.CLONE_NEWIPC) != 0 {
		return nil, 0, linux.ENOENT
	}
	return object, p.fs.nsID(k, object), nil
}

func (k *nsKind) text(id uint32) string { return fmt.Sprintf("%s:[%d]", k.label, id) }

// follow returns a place for the namespace that p is in.
func (k *nsKind) follow(c *vfs.Caller, p *proc) (vfs.Path, error) {
	object, id, err := k.find(c, p)
	if err != nil {
		return vfs.Path{}, err
	}
	at, _, err := k.place(p.fs, object, id)
	return at, err
}

// place makes a file that stands for a namespace.
func (k *nsKind) place(fs *FileSystem, object any, id uint32) (vfs.Path, *nsInode, error) {
	i := &nsInode{inode: inode{fs: fs, ino: uint64(id), mode: regular | 0o444}, ns: &Namespace{k.flag, object, fs}}
	if n := i.ns.counted(); n != nil && !n.TryIncRef() {
		return vfs.Path{}, nil, linux.ENOENT
	}
	return fs.sys.VFS.NSPath(i, k.text(id)), i, nil
}

// nsID returns the number of a namespace.
func (sh *shared) nsID(k *nsKind, object any) uint32 {
	if object == nil || object == any(sh.sys.FirstPIDs()) || object == any(sh.sys.UserNS) {
		return k.first
	}
	if f := sh.sys.FirstNamespaces(); f != nil {
		for _, o := range []any{f.Cgroup, f.IPC, f.Mount, f.Net, f.Time, f.UTS} {
			if o == object {
				return k.first
			}
		}
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if id, ok := sh.nsIDs[object]; ok {
		return id
	}
	if len(sh.nsIDs) >= maxNSIDs {
		sh.forgetNSLocked()
	}
	id := sh.nextNS
	sh.nextNS++
	sh.nsIDs[object] = id
	return id
}

// forgetNSLocked drops the numbers of namespaces that no task is in.
func (sh *shared) forgetNSLocked() {
	used := map[any]bool{}
	for _, t := range sh.sys.Tasks() {
		for u := t.Cred().UserNS; u != nil; u = u.Parent {
			used[u] = true
		}
		for p := t.Group().PIDs(); p != nil; p = p.Parent() {
			used[p] = true
		}
		if n := t.Namespaces(); n != nil {
			used[n.Mount], used[n.UTS], used[n.IPC], used[n.Net], used[n.Cgroup] = true, true, true, true, true
			used[n.Time], used[n.TimeForChildren] = true, true
		}
	}
	maps.DeleteFunc(sh.nsIDs, func(o any, _ uint32) bool { return !used[o] })
}

// An nsInode is a namespace as a file. It holds a reference to one that is counted.
type nsInode struct {
	inode
	state vfs.InodeState
	ns    *Namespace
}

// VFSState implements vfs.Stateful.
func (i *nsInode) VFSState() *vfs.InodeState { return &i.state }

// Evict implements vfs.Evicter.
func (i *nsInode) Evict() {
	if n := i.ns.counted(); n != nil {
		go n.DecRef() // whoever lets go last may hold locks that its end needs
	}
}

// counted is the namespace if it ends with its last reference.
func (n *Namespace) counted() interface {
	TryIncRef() bool
	DecRef()
} {
	switch o := n.Object.(type) {
	case *socket.Namespace:
		return o
	case *ipc.Namespace:
		return o
	}
	return nil
}

// NetNamespace implements task.NetFile.
func (n *Namespace) NetNamespace() *socket.Namespace {
	s, _ := n.Object.(*socket.Namespace)
	return s
}

// Open implements vfs.Inode.
func (i *nsInode) Open(*vfs.Caller, vfs.Path, linux.OpenFlags) (vfs.File, error) { return i.ns, nil }
