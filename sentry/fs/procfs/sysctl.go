package procfs

import (
	"cmp"
	"encoding/hex"
	"slices"
	"strings"

	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// A Sysctl is a file of /proc/sys.
type Sysctl struct {
	// Path is below /proc/sys, "net/core/somaxconn".
	Path string
	// Mode is the permission bits: owner's for root, group's for group 0,
	// others'. Zero is 0444.
	Mode linux.FileMode
	// Get returns the value without a newline, as t sees it; t is nil for the
	// kernel itself.
	Get func(t *task.Task) string
	// Set changes the value; it gets it without a newline. Nil: the value it
	// has is accepted, any other is EINVAL.
	Set func(t *task.Task, value string) linux.Errno
	// ByWriter has a write count for who writes, not for who opened the file.
	ByWriter bool
	// There says whether t sees the value at all; nil: everybody does.
	There func(t *task.Task) bool
}

// sysctlTable returns the built-in rows with others in their places, sorted.
func (sh *shared) sysctlTable(more []Sysctl) []Sysctl {
	rows := make(map[string]Sysctl)
	for _, s := range slices.Concat(fixedSysctls(), sh.liveSysctls(), sh.netSysctls(), sh.ipcSysctls(), more) {
		if s.Mode == 0 {
			s.Mode = 0o444
		}
		rows[s.Path] = s
	}
	all := make([]Sysctl, 0, len(rows))
	for _, s := range rows {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Sysctl) int { return cmp.Compare(a.Path, b.Path) })
	return all
}

// SetSysctl sets what sysctl(8) calls name ("net.core.somaxconn"), for the
// kernel itself.
func (f *FileSystem) SetSysctl(name, value string) linux.Errno {
	return f.SetSysctlOf(nil, name, value)
}

// SetSysctlOf is SetSysctl for a task, in its namespaces.
func (f *FileSystem) SetSysctlOf(t *task.Task, name, value string) linux.Errno {
	path := name
	if !strings.Contains(name, "/") {
		path = strings.ReplaceAll(name, ".", "/")
	}
	i, ok := slices.BinarySearchFunc(f.sysctls, path, func(s Sysctl, p string) int { return cmp.Compare(s.Path, p) })
	if !ok {
		s, ok := f.linkSysctl(path)
		if !ok {
			return linux.ENOENT
		}
		return s.set(t, value)
	}
	return f.sysctls[i].set(t, value)
}

func (s *Sysctl) set(t *task.Task, value string) linux.Errno {
	value = strings.TrimRight(value, "\n\x00")
	if s.Set != nil {
		return s.Set(t, value)
	}
	if s.Mode&0o222 == 0 {
		return linux.EACCES
	}
	if slices.Equal(strings.Fields(value), strings.Fields(s.Get(t))) {
		return 0
	}
	return linux.EINVAL
}

// may decides access as Linux: fs/proc/proc_sysctl.c test_perm does, without
// regard to capabilities.
func (s *Sysctl) may(c *cred.Credentials, want vfs.Access) error {
	bits := s.Mode
	if c.EUID == 0 {
		bits >>= 6
	} else if c.EGID == 0 || c.InGroup(0) {
		bits >>= 3
	}
	if want&^vfs.Access(bits&7) != 0 {
		return linux.EACCES
	}
	return nil
}

func (s *Sysctl) entry(name string) *entry {
	e := &entry{
		name: name, mode: regular | s.Mode, permission: s.may,
		text: func(o *opening) ([]byte, error) {
			switch {
			case s.There != nil && !s.There(o.caller):
				return nil, linux.ENOENT
			case s.Get == nil:
				return nil, linux.EINVAL
			}
			return []byte(s.Get(o.caller) + "\n"), nil
		},
		write: func(o *opening, b []byte) error {
			if e := s.set(o.caller, string(b)); e != 0 {
				return e
			}
			return nil
		},
	}
	if s.ByWriter {
		e.file = byWriter(e.text, e.write)
	}
	return e
}

// sysctlNames is a directory below /proc/sys: what the paths with a prefix go
// on with.
type sysctlNames struct {
	fs     *FileSystem
	ino    uint64
	prefix string
	link   string // the interface whose directory it is
}

func newSysctlNames(f *FileSystem, _ *proc, ino uint64) names { return &sysctlNames{fs: f, ino: ino} }

// children lists the names; row is nil for a directory.
func (d *sysctlNames) children(emit func(name string, row *Sysctl) bool) {
	last := ""
	if d.link != "" {
		prefix := strings.TrimSuffix(d.prefix, d.link+"/")
		for _, s := range d.fs.linkRows(prefix, d.link) {
			if !emit(strings.TrimPrefix(s.Path, d.prefix), &s) {
				return
			}
		}
		return
	}
	for i := range d.fs.sysctls {
		s := &d.fs.sysctls[i]
		rest, ok := strings.CutPrefix(s.Path, d.prefix)
		if !ok {
			continue
		}
		name, _, deeper := strings.Cut(rest, "/")
		if name == last {
			continue
		}
		last = name
		if deeper {
			s = nil
		}
		if !emit(name, s) {
			return
		}
	}
}

func (d *sysctlNames) find(name string) (found vfs.Inode, err error) {
	err = linux.ENOENT
	d.children(func(n string, row *Sysctl) bool {
		if n != name {
			return true
		}
		i := inode{fs: d.fs, ino: inoOf(d.ino, name), mode: dirRX}
		if row == nil {
			found = &dirInode{inode: i, parent: d.ino, names: &sysctlNames{fs: d.fs, ino: i.ino, prefix: d.prefix + name + "/"}}
		} else {
			i.mode = regular | row.Mode
			found = &fileInode{i, row.entry(name)}
		}
		err = nil
		return false
	})
	if _, ok := linkDirs[d.prefix]; found == nil && ok && d.fs.linkThere(name) {
		i := inode{fs: d.fs, ino: inoOf(d.ino, name), mode: dirRX}
		return &dirInode{inode: i, parent: d.ino, names: &sysctlNames{d.fs, i.ino, d.prefix + name + "/", name}}, nil
	}
	return found, err
}

func (d *sysctlNames) each(from int64, emit func(int64, vfs.Dirent) bool) {
	key := int64(1)
	d.children(func(name string, row *Sysctl) bool {
		if key++; key < from {
			return true
		}
		kind := linux.DT_REG
		if row == nil {
			kind = linux.DT_DIR
		}
		return emit(key, vfs.Dirent{Name: name, Ino: inoOf(d.ino, name), Type: uint8(kind)})
	})
}

func (d *sysctlNames) valid(_ string, child vfs.Inode) bool {
	i, ok := child.(*dirInode)
	if !ok {
		_, links := linkDirs[d.prefix]
		return child != nil || !links
	}
	n, ok := i.names.(*sysctlNames)
	return !ok || n.link == "" || d.fs.linkThere(n.link)
}

// uuidText writes a random id as a version 4 UUID.
func uuidText(id [16]byte) string {
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	s := hex.EncodeToString(id[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
