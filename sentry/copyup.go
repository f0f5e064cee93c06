package sentry

import (
	"slices"
	"strings"

	"cordon/internal/linux"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

// copyUpOption has a tmpfs start with what its mount point has: an option of
// runtimes that no kernel knows.
const copyUpOption = "tmpcopyup"

// takeCopyUp returns a mount's options without copyUpOption, and whether it was
// there.
func takeCopyUp(options string) (string, bool) {
	list := strings.Split(options, ",")
	rest := slices.DeleteFunc(slices.Clone(list), func(o string) bool { return o == copyUpOption })
	return strings.Join(rest, ","), len(rest) < len(list)
}

// maxCopyDepth bounds the directories below each other that are copied.
const maxCopyDepth = 128

// copyUp copies what is in the directory from to the directory to, with owners
// and permissions.
func copyUp(c *vfs.Caller, from, to vfs.Path, depth int) error {
	if depth > maxCopyDepth {
		return linux.ELOOP
	}
	names, err := namesIn(c, from)
	if err != nil {
		return err
	}
	for _, name := range names {
		p, err := vfs.Resolve(c, from, name, vfs.NoFollow)
		if err != nil {
			return err
		}
		st, err := vfs.Stat(c, p)
		if err != nil {
			return err
		}
		if err := copyOne(c, from, to, name, &st, depth); err != nil {
			return err
		}
	}
	return copyAttributes(c, from, to)
}

func namesIn(c *vfs.Caller, dir vfs.Path) (names []string, err error) {
	d, err := vfs.OpenPath(c, dir, linux.O_RDONLY|linux.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer d.DecRef()
	for {
		n := len(names)
		err := d.ReadDir(c, func(e vfs.Dirent) bool {
			names = append(names, e.Name)
			return true
		})
		if err != nil {
			return nil, err
		}
		if len(names) == n {
			break
		}
	}
	return slices.DeleteFunc(names, func(n string) bool { return n == "." || n == ".." }), nil
}

func copyOne(c *vfs.Caller, from, to vfs.Path, name string, st *linux.Stat, depth int) error {
	mode := linux.FileMode(st.Mode)
	if mode&linux.S_IFMT == linux.S_IFLNK {
		target, err := vfs.Readlink(c, from, name)
		if err != nil {
			return err
		}
		return vfs.MakeSymlink(c, target, to, name)
	}
	var err error
	if mode&linux.S_IFMT == linux.S_IFDIR {
		err = vfs.Mkdir(c, to, name, mode.PermAndSticky())
	} else {
		err = vfs.Mknod(c, to, name, mode, st.Rdev)
	}
	if err != nil {
		return err
	}
	old, err := vfs.Resolve(c, from, name, vfs.NoFollow)
	if err != nil {
		return err
	}
	made, err := vfs.Resolve(c, to, name, vfs.NoFollow)
	if err != nil {
		return err
	}
	switch mode & linux.S_IFMT {
	case linux.S_IFDIR:
		return copyUp(c, old, made, depth+1)
	case linux.S_IFREG:
		if err := copyBytes(c, old, made); err != nil {
			return err
		}
	}
	return copyAttributes(c, old, made)
}

func copyAttributes(c *vfs.Caller, from, to vfs.Path) error {
	st, err := vfs.Stat(c, from)
	if err != nil {
		return err
	}
	if err := vfs.Chown(c, to, st.UID, st.GID); err != nil {
		return err
	}
	return vfs.Chmod(c, to, linux.FileMode(st.Mode).Perm())
}

func copyBytes(c *vfs.Caller, from, to vfs.Path) error {
	in, err := vfs.OpenPath(c, from, linux.O_RDONLY)
	if err != nil {
		return err
	}
	defer in.DecRef()
	out, err := vfs.OpenPath(c, to, linux.O_WRONLY)
	if err != nil {
		return err
	}
	defer out.DecRef()
	buf := make([]byte, 64<<10)
	for {
		dst := usermem.OfBytes(buf)
		n, err := in.Read(c, &dst)
		if err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		for data := buf[:n]; len(data) > 0; {
			src := usermem.OfBytes(data)
			m, err := out.Write(c, &src)
			if err != nil {
				return err
			}
			data = data[m:]
		}
	}
}
