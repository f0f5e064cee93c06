package procfs

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/sentry/cgroup"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// Options are what /proc shows that tasks do not know.
type Options struct {
	// CPUInfo is the host's /proc/cpuinfo; as many processors of it are shown
	// as the guest has. Without it the processors have no model.
	CPUInfo []byte
	// CommandLine is /proc/cmdline without its newline.
	CommandLine string
	// BootID is /proc/sys/kernel/random/boot_id; zero for a random one.
	BootID [16]byte
	// Net makes the files of /proc/net. Nil: they say that there is nothing.
	Net NetTexts
	// Sysctls are added to the table of /proc/sys, or replace rows of it.
	Sysctls []Sysctl
	// Cgroup returns what follows "0::" in /proc/pid/cgroup, for a reader whose
	// root of control groups is from. Nil: "/".
	Cgroup func(from *cgroup.Group, t *task.Task) string
}

// shared is what the instances of a sandbox have in common.
type shared struct {
	// immutable
	sys      *task.System
	options  Options
	bootID   string
	cpus     []byte
	sysctls  []Sysctl // sorted by path
	process  []entry  // what /proc/pid has
	thread   []entry  // what /proc/pid/task/tid has
	netTable []entry  // what /proc/pid/net has

	// atomic
	busiest atomic.Int64 // the most CPU time seen, in ns: it never goes back

	mu sync.Mutex
	// guarded by mu
	nsIDs  map[any]uint32
	nextNS uint32
}

// A FileSystem is an instance of procfs.
type FileSystem struct {
	*shared

	// immutable
	dev  uint64
	opts mountOptions
	root *dirInode
	pids *task.PIDNamespace // whose processes are shown, by their numbers there
}

// mountOptions are an instance's own.
type mountOptions struct {
	gid     uint32
	haveGID bool
	pidOnly bool
}

// New returns the first instance for sys.
func New(sys *task.System, opts Options) *FileSystem {
	sh := &shared{sys: sys, options: opts, nsIDs: make(map[any]uint32), nextNS: firstFreeNS}
	id := opts.BootID
	if id == [16]byte{} {
		sys.Random(id[:])
	}
	sh.bootID = uuidText(id)
	sh.cpus = cpuInfo(opts.CPUInfo, sys.CPUs())
	sh.sysctls = sh.sysctlTable(opts.Sysctls)
	sh.process, sh.thread = sh.processEntries(), sh.threadEntries()
	sh.netTable = sh.netEntries()
	return sh.instance(mountOptions{}, sys.FirstPIDs())
}

func (sh *shared) instance(o mountOptions, pids *task.PIDNamespace) *FileSystem {
	f := &FileSystem{shared: sh, dev: sh.sys.VFS.NextDevice(), opts: o, pids: pids}
	f.root = f.newRoot()
	return f
}

// Instance returns another instance that shares f's state and shows the
// processes of a PID namespace. data are the mount options: gid=, hidepid=0 and
// subset=pid (EINVAL for others).
func (f *FileSystem) Instance(data string, pids *task.PIDNamespace) (*FileSystem, error) {
	o, err := parseOptions(data)
	if err != nil {
		return nil, err
	}
	return f.instance(o, pids), nil
}

// parseOptions reads mount(2)'s data.
func parseOptions(data string) (o mountOptions, err error) {
	for opt := range strings.SplitSeq(data, ",") {
		k, v, _ := strings.Cut(opt, "=")
		switch {
		case opt == "":
		case k == "gid":
			n, err := strconv.ParseUint(v, 10, 32)
			if err != nil {
				return o, linux.EINVAL
			}
			o.gid, o.haveGID = uint32(n), true
		case k == "hidepid" && (v == "0" || v == "off"):
		case opt == "subset=pid":
			o.pidOnly = true
		default:
			return o, linux.EINVAL
		}
	}
	return o, nil
}

// Register makes "proc" mountable: each mount is an instance.
func (f *FileSystem) Register(v *vfs.VFS) {
	v.Register("proc", vfs.FileSystemType{
		NoDev: true, UserMount: true,
		New: func(c *vfs.Caller, _, data string) (vfs.FileSystem, error) {
			pids := f.sys.FirstPIDs()
			if c == nil {
				data, pids = f.regenerated(data)
			} else if t := callerTask(c); t != nil {
				pids = t.Group().PIDs()
			}
			i, err := f.Instance(data, pids)
			if err != nil {
				return nil, err
			}
			return i, nil
		},
		Options: []string{"gid", "hidepid", "subset"},
		Check: func(option string) error {
			_, err := parseOptions(option)
			return err
		},
	})
}

// Type implements vfs.FileSystem.
func (f *FileSystem) Type() string { return "proc" }

// Root implements vfs.FileSystem.
func (f *FileSystem) Root() vfs.Inode { return f.root }

// StatFS implements vfs.FileSystem.
func (f *FileSystem) StatFS() (linux.Statfs, error) {
	return linux.Statfs{Type: linux.PROC_SUPER_MAGIC, Bsize: 4096, Frsize: 4096, Namelen: linux.NAME_MAX}, nil
}

// Device implements vfs.FileSystem.
func (f *FileSystem) Device() uint64 { return f.dev }

// Release implements vfs.FileSystem.
func (f *FileSystem) Release() {}

// MountOptions implements vfs.MountOptioner.
func (f *FileSystem) MountOptions() string {
	s := ""
	if f.opts.haveGID {
		s += ",gid=" + strconv.FormatUint(uint64(f.opts.gid), 10)
	}
	if f.opts.pidOnly {
		s += ",subset=pid"
	}
	return s
}

// Revalidate implements vfs.Revalidator.
func (f *FileSystem) Revalidate(parent vfs.Inode, name string, child vfs.Inode) bool {
	d, ok := parent.(*dirInode)
	return ok && d.names.valid(name, child)
}
