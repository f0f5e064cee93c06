package hostfs

import (
	"fmt"
	"strings"

	"cordon/gofer/server"

	"golang.org/x/sys/unix"
)

// PlaceMark is before what names a mount's place in its name.
const PlaceMark = "@"

// A Mount is a host directory, or a single file, that the Sentry may attach.
type Mount struct {
	// Name is what the Sentry attaches; no slash, not empty. What follows PlaceMark
	// says where it is, if that is the name's.
	Name string
	// Root is a descriptor of it (O_PATH is enough), taken over by Serve. If
	// it is negative, Path is opened at the start.
	Root int
	Path string
	// ReadOnly refuses every change with EROFS, and donates nothing that
	// could be written.
	ReadOnly bool
	// Connect allows connecting to the unix sockets of host processes.
	Connect bool
}

// Config is what a gofer process serves.
type Config struct {
	Mounts []Mount
	// ProcFD is a descriptor of this process's /proc/self/fd, for a gofer
	// that has left the host's tree; the process's working directory becomes
	// that directory. If it is negative, /proc/self/fd is opened at the start.
	ProcFD int
}

// Serve serves the Sentry at the other end of the two sockets, a stream for 9P
// and a SEQPACKET for the side channel, until it is gone. It takes over every
// descriptor it is given. An error means that nothing was served.
func Serve(conn9p, connSide int, cfg Config) error {
	fs, err := newFS(cfg)
	if err != nil {
		unix.Close(conn9p)
		unix.Close(connSide)
		return err
	}
	server.Serve(conn9p, connSide, fs)
	fs.close()
	return nil
}

func newFS(cfg Config) (*fsys, error) {
	f := &fsys{procPath: "/proc/self/fd/", procFD: cfg.ProcFD}
	f.table.init()
	f.locks.files = map[lockKey]int{}
	if cfg.ProcFD < 0 {
		fd, err := unix.Open("/proc/self/fd", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("gofer: open /proc/self/fd: %w", err)
		}
		f.procFD = fd
	} else {
		// connect(2) takes a path and no directory: the only way to
		// name an inode to it is relative to the working directory.
		if err := unix.Fchdir(cfg.ProcFD); err != nil {
			return nil, fmt.Errorf("gofer: enter /proc/self/fd: %w", err)
		}
		f.procPath = ""
	}
	// The Sentry has applied the guest's umask.
	unix.Umask(0)
	f.canChown = hasCapability(unix.CAP_CHOWN)
	for _, m := range cfg.Mounts {
		if err := f.addMount(m); err != nil {
			f.close()
			return nil, err
		}
	}
	return f, nil
}

func (f *fsys) addMount(m Mount) error {
	if m.Name == "" || strings.ContainsAny(m.Name, "/\x00") || m.Name == "." || m.Name == ".." {
		return fmt.Errorf("gofer: mount name %q", m.Name)
	}
	if m.Root < 0 {
		fd, err := unix.Open(m.Path, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("gofer: open %s: %w", m.Path, err)
		}
		m.Root = fd
	}
	mt := &mount{name: m.Name, readOnly: m.ReadOnly, connect: m.Connect}
	a, errno := statNode(m.Root)
	if errno != 0 {
		return fmt.Errorf("gofer: stat mount %s: %w", m.Name, errno)
	}
	mt.root = &node{fd: m.Root, m: mt, mode: a.Mode, dev: a.Dev, ino: a.Ino}
	mt.root.refs.Store(1)
	f.mounts = append(f.mounts, mt)
	return nil
}

// close releases what the session leaves behind.
func (f *fsys) close() {
	f.table.closeAll()
	f.locks.closeAll()
	for _, m := range f.mounts {
		m.root.release()
	}
	unix.Close(f.procFD)
}

func hasCapability(c uint) bool {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&hdr, &data[0]) != nil {
		return false
	}
	return data[c/32].Effective&(1<<(c%32)) != 0
}
