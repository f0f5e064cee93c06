package procfs

import (
	"errors"
	"strconv"
	"strings"

	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// Nothing of procfs is saved: a restore mounts it anew and finds its inodes by
// name. An open file begins its text anew.

// Regenerate implements vfs.Regenerated.
func (f *FileSystem) Regenerate() (typ, data string) {
	data = f.MountOptions()
	if n := f.pids.Serial(); n != 0 {
		data += savedPIDs + strconv.FormatUint(n, 10)
	}
	return "proc", strings.TrimPrefix(data, ",")
}

// savedPIDs is an option that only Regenerate writes.
const savedPIDs = ",pids="

// regenerated takes what Regenerate adds out of the options.
func (f *FileSystem) regenerated(data string) (string, *task.PIDNamespace) {
	options, number, ok := strings.Cut(","+data, savedPIDs)
	if !ok {
		return data, f.sys.FirstPIDs()
	}
	n, err := strconv.ParseUint(number, 10, 64)
	pids := f.sys.LoadedPIDs(n)
	if err != nil || pids == nil {
		pids = f.sys.FirstPIDs()
	}
	return strings.TrimPrefix(options, ","), pids
}

// SetDevice implements vfs.Regenerated.
func (f *FileSystem) SetDevice(dev uint64) { f.dev = dev }

// Reopened implements vfs.Reopened.
func (f *textFile) Reopened() {}

// Reopened implements vfs.Reopened.
func (f *dirFile) Reopened() {}

// Reopened implements vfs.Reopened.
func (f *environFile) Reopened() {}

// Reopened implements vfs.Reopened.
func (f *memFile) Reopened() {}

// Reopened implements vfs.Reopened.
func (f *pagemapFile) Reopened() {}

// Reopened implements vfs.Reopened: the inode has it.
func (*Namespace) Reopened() {}

// Kinds lists the objects of this package for a checkpoint: namespaces that are
// files.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{checkpoint.Object("procfs.nsInode", saveNS, loadNS)}
}

// NSImage is an nsInode in a checkpoint.
type NSImage struct {
	VFS    checkpoint.Ref
	Dev    uint64
	Ino    uint64
	Mode   linux.FileMode
	Kind   linux.CloneFlags
	Object checkpoint.Ref
	State  vfs.StateImage
}

func saveNS(s *checkpoint.Saver, i *nsInode) NSImage {
	return NSImage{s.Ref(i.fs.sys.VFS), i.fs.dev, i.ino, i.mode, i.ns.Kind, s.Ref(i.ns.Object), i.state.Image(s)}
}

func loadNS(l *checkpoint.Loader, i *nsInode, im NSImage) error {
	v, err := checkpoint.Get[*vfs.VFS](l, im.VFS)
	if err != nil || v == nil {
		return errImage
	}
	object, err := checkpoint.Get[any](l, im.Object)
	if err != nil {
		return err
	}
	i.ino, i.mode, i.ns = im.Ino, im.Mode, &Namespace{Kind: im.Kind, Object: object}
	if err := i.state.Restore(l, &im.State); err != nil {
		return err
	}
	vfs.AfterNames(l, func() error {
		t, _ := v.Type("proc")
		if t.New == nil {
			return errImage
		}
		made, err := t.New(nil, "proc", "")
		f, ok := made.(*FileSystem)
		if err != nil || !ok {
			return errImage
		}
		f.dev = im.Dev
		i.fs, i.ns.fs = f, f
		return nil
	})
	return nil
}

var errImage = errors.New("a namespace's file that cannot be")
