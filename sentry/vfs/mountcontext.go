package vfs

import (
	"fmt"
	"slices"
	"strings"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/cred"
	"cordon/sentry/usermem"
)

// A MountContext is the File of fsopen(2) and fspick(2): what a file system is
// made of, or changed to, one parameter at a time (Linux: struct fs_context).
// What is wrong with a parameter can be read from it.
type MountContext struct {
	// immutable
	vfs  *VFS
	name string // of the type
	user *cred.UserNamespace

	mu lock.Mutex[lock.MountContext]
	// guarded by mu
	phase      contextPhase
	source     string
	options    []string         // "key=value", or "key"; the last of each key
	set, clear linux.MountFlags // of perSuper and MS_RDONLY
	sb         *superblock      // counted; nil: not made yet
	log        []string
}

// contextPhase says what a context is good for. One of fsopen(2) goes from
// creating through mounting to idle, one of fspick(2) begins with changing; from
// then on they are the same:
//
//	creating -CREATE-> mounting -fsmount-> idle -any fsconfig-> changing -RECONFIGURE-> idle
//
// Whatever fails in CREATE or RECONFIGURE leaves it failed.
type contextPhase uint8

const (
	contextCreating contextPhase = iota
	contextMounting
	contextIdle
	contextChanging
	contextFailed
)

// maxContextLog is how many messages a context keeps; the oldest go (Linux: struct
// fc_log).
const maxContextLog = 8

// OpenMountContext is fsopen(2).
func (v *VFS) OpenMountContext(c *Caller, name string) (*Description, error) {
	if _, ok := v.types[name]; !ok {
		return nil, linux.ENODEV
	}
	x := &MountContext{vfs: v, name: name, user: c.Cred.UserNS}
	return v.NewAnonFile(c, x, "[fscontext]", linux.O_RDWR), nil
}

// PickMountContext is fspick(2) of the mount whose root p is.
func PickMountContext(c *Caller, p Path) (*Description, error) {
	if p.Dentry != p.Mount.root {
		return nil, linux.EINVAL
	}
	v, sb := p.Mount.vfs, p.Mount.sb
	x := &MountContext{vfs: v, name: sb.fs.Type(), user: c.Cred.UserNS, phase: contextChanging, sb: sb}
	sb.refs.Add(1)
	return v.NewAnonFile(c, x, "[fscontext]", linux.O_RDWR), nil
}

// Release implements File.
func (x *MountContext) Release() {
	x.mu.Lock()
	sb := x.sb
	x.sb = nil
	x.mu.Unlock()
	if sb != nil {
		sb.decRef()
	}
}

// Read implements Reader: one message.
func (x *MountContext) Read(dst *usermem.Seq) (int, error) {
	x.mu.Lock()
	if len(x.log) == 0 {
		x.mu.Unlock()
		return 0, linux.ENODATA
	}
	m := x.log[0]
	if uint64(len(m)) > dst.Len() {
		x.mu.Unlock()
		return 0, linux.EMSGSIZE
	}
	x.log = slices.Delete(x.log, 0, 1)
	x.mu.Unlock()
	return dst.CopyOut([]byte(m))
}

// refuseLocked notes why a parameter is EINVAL.
func (x *MountContext) refuseLocked(format string, a ...any) error {
	if len(x.log) == maxContextLog {
		x.log = slices.Delete(x.log, 0, 1)
	}
	x.log = append(x.log, "e "+fmt.Sprintf(format, a...)+"\n")
	return linux.EINVAL
}

// A MountParameter is a key of fsconfig(2) with its value.
type MountParameter struct {
	Key, Value string
	// Text says that Value is a string (FSCONFIG_SET_STRING), Flag that there is
	// none (FSCONFIG_SET_FLAG). Neither: bytes, a path or a descriptor, which no
	// file system here takes.
	Text, Flag bool
}

// superFlags are the parameters that every file system has.
var superFlags = [...]struct {
	name       string
	set, clear linux.MountFlags
}{
	{"dirsync", linux.MS_DIRSYNC, 0}, {"lazytime", linux.MS_LAZYTIME, 0}, {"mand", linux.MS_MANDLOCK, 0},
	{"ro", linux.MS_RDONLY, 0}, {"sync", linux.MS_SYNCHRONOUS, 0},
	{"async", 0, linux.MS_SYNCHRONOUS}, {"nolazytime", 0, linux.MS_LAZYTIME}, {"nomand", 0, linux.MS_MANDLOCK},
	{"rw", 0, linux.MS_RDONLY},
}

// Set is fsconfig(2) with a parameter (Linux: vfs_parse_fs_param).
func (x *MountContext) Set(p *MountParameter) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.wakeLocked()
	if x.phase != contextCreating && x.phase != contextChanging {
		return linux.EBUSY
	}
	for _, f := range &superFlags {
		if f.name == p.Key {
			x.set, x.clear = x.set&^f.clear|f.set, x.clear&^f.set|f.clear
			return nil
		}
	}
	if known := x.vfs.types[x.name].Options; !slices.Contains(known, p.Key) {
		if p.Key == "source" {
			return x.setSourceLocked(p)
		}
		return x.refuseLocked("%s: Unknown parameter '%s'", x.name, p.Key)
	}
	option := p.Key
	if p.Text {
		option += "=" + p.Value
	}
	check := x.vfs.types[x.name].Check
	if !p.Text && !p.Flag || strings.Contains(option, ",") || check != nil && check(option) != nil {
		return x.refuseLocked("%s: Bad value for '%s'", x.name, p.Key)
	}
	x.options = slices.DeleteFunc(x.options, func(o string) bool {
		k, _, _ := strings.Cut(o, "=")
		return k == p.Key
	})
	x.options = append(x.options, option)
	return nil
}

func (x *MountContext) setSourceLocked(p *MountParameter) error {
	switch {
	case !p.Text:
		return x.refuseLocked("Non-string source")
	case x.source != "":
		return x.refuseLocked("Multiple sources")
	}
	x.source = p.Value
	return nil
}

// wakeLocked has an idle context take parameters again.
func (x *MountContext) wakeLocked() {
	if x.phase == contextIdle {
		x.phase = contextChanging
	}
}

// sleepLocked ends what a context was good for. As in Linux, flags that it has set are
// cleared by the next change through it, unless that sets them too.
func (x *MountContext) sleepLocked() {
	x.phase, x.source, x.options, x.set, x.clear = contextIdle, "", nil, 0, x.clear|x.set
}

// Create is FSCONFIG_CMD_CREATE; every file system here is a new one, as
// FSCONFIG_CMD_CREATE_EXCL wants it.
func (x *MountContext) Create(c *Caller) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.wakeLocked()
	if x.phase != contextCreating {
		return linux.EBUSY
	}
	t := x.vfs.types[x.name]
	if err := t.mayCreate(c, x.user); err != nil {
		return err
	}
	x.phase = contextFailed
	fs, err := t.New(c, x.source, strings.Join(x.options, ","))
	if err != nil {
		return err
	}
	if x.sb, err = x.vfs.superOf(fs, x.user); err != nil {
		return err
	}
	if x.set&linux.MS_RDONLY != 0 {
		x.sb.readOnly.Store(true)
	}
	x.sb.flags.Store(uint64(x.set & perSuper))
	x.phase = contextMounting
	return nil
}

// mayCreate checks the right to make a file system of the type.
func (t *FileSystemType) mayCreate(c *Caller, user *cred.UserNamespace) error {
	if !t.UserMount {
		user = rootNS(user)
	}
	if !c.Cred.HasIn(linux.CAP_SYS_ADMIN, user) {
		return linux.EPERM
	}
	return nil
}

// Reconfigure is FSCONFIG_CMD_RECONFIGURE.
func (x *MountContext) Reconfigure(c *Caller) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.wakeLocked()
	if x.phase != contextChanging {
		return linux.EBUSY
	}
	x.phase = contextFailed
	sb := x.sb
	flags := linux.MountFlags(sb.flags.Load())
	if sb.readOnly.Load() {
		flags |= linux.MS_RDONLY
	}
	if err := sb.reconfigure(c, flags&^x.clear|x.set, strings.Join(x.options, ",")); err != nil {
		return err
	}
	x.sleepLocked()
	return nil
}

// Mount is fsmount(2): a description of a mount that stands nowhere.
func (x *MountContext) Mount(c *Caller, flags linux.MountFlags) (*Description, error) {
	own := c.nsOf()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.sb == nil {
		return nil, linux.EINVAL
	}
	if x.phase != contextMounting {
		return nil, linux.EBUSY
	}
	source := x.source
	if source == "" {
		source = "none"
	}
	x.sb.refs.Add(1)
	m := newMount(x.sb, x.sb.root, source, flags)
	x.sleepLocked()
	x.vfs.mountMu.Lock()
	ns := x.vfs.treeNSLocked(own, m)
	x.vfs.mountMu.Unlock()
	return NewDescription(c, Path{m, m.root}, &Tree{ns}, linux.O_PATH), nil
}
