package textfs

// Nothing of textfs is saved: a restore makes the instance by its type and
// finds its inodes by name. An open file begins its text anew.

// Regenerate implements vfs.Regenerated.
func (fs *FS) Regenerate() (typ, data string) { return fs.o.Type, fs.o.Data }

// SetDevice implements vfs.Regenerated.
func (fs *FS) SetDevice(dev uint64) { fs.o.Device = dev }

// Reopened implements vfs.Reopened.
func (*openText) Reopened() {}

// Reopened implements vfs.Reopened.
func (*dirFile) Reopened() {}
