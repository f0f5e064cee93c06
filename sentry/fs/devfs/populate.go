package devfs

import (
	"cordon/internal/linux"
	"cordon/sentry/fs/tmpfs"
	"cordon/sentry/vfs"
)

// ttyGroup is Debian's group of terminals.
const ttyGroup = 5

// New returns a filled /dev.
func New(o tmpfs.Options) (*tmpfs.FS, error) {
	if o.Mode == 0 {
		o.Mode = 0o755
	}
	fs, err := tmpfs.New(o)
	if err != nil {
		return nil, err
	}
	return fs, Populate(fs)
}

// Populate makes the nodes, links and directories of a container's /dev in the
// root of fs.
func Populate(fs *tmpfs.FS) error {
	root := fs.Root().(vfs.Directory)
	for _, n := range [...]struct {
		name         string
		major, minor uint32
	}{
		{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
	} {
		gid := uint32(0)
		if n.name == "tty" {
			gid = ttyGroup
		}
		node := &vfs.NewInode{Mode: linux.S_IFCHR | 0o666, GID: gid, Rdev: linux.MakeDev(n.major, n.minor)}
		if _, err := root.Create(n.name, node); err != nil {
			return err
		}
	}
	for _, l := range [...][2]string{
		{"fd", "/proc/self/fd"}, {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
		{"stderr", "/proc/self/fd/2"}, {"ptmx", "pts/ptmx"}, {"core", "/proc/kcore"},
	} {
		if _, err := root.Create(l[0], &vfs.NewInode{Mode: linux.S_IFLNK | 0o777, Target: l[1]}); err != nil {
			return err
		}
	}
	for name, mode := range map[string]linux.FileMode{"pts": 0o755, "shm": 0o1777, "mqueue": 0o1777} {
		if _, err := root.Create(name, &vfs.NewInode{Mode: linux.S_IFDIR | mode}); err != nil {
			return err
		}
	}
	return nil
}
