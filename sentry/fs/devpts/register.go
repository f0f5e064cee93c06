package devpts

import (
	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// Device numbers of ptmx.
const (
	ptmxMajor = 5
	ptmxMinor = 2
)

// Register makes the devices of terminals openable: ptmx and every slave.
func Register(v *vfs.VFS) {
	v.RegisterDevice(linux.S_IFCHR, ptmxMajor, ptmxMinor, openPtmxDevice)
	v.RegisterMajor(linux.S_IFCHR, slaveMajor, "pts", openSlaveDevice)
}

// openPtmxDevice opens an instance's own ptmx. For a node elsewhere it is, as in
// Linux, the instance mounted at pts beside it.
func openPtmxDevice(c *vfs.Caller, p vfs.Path, flags linux.OpenFlags) (vfs.File, error) {
	if n, ok := p.Inode().(*node); ok {
		return n.Open(c, p, flags)
	}
	dir := vfs.Path{Mount: p.Mount, Dentry: p.Dentry.Parent()}
	pts, err := vfs.Resolve(c, dir, "pts", vfs.WantDir)
	if err != nil {
		return nil, linux.ENODEV
	}
	fs, ok := pts.Dentry.FileSystem().(*FileSystem)
	if !ok {
		return nil, linux.ENODEV
	}
	return fs.OpenPtmx(c, p, flags)
}

// openSlaveDevice opens a slave by its name in an instance; a node elsewhere
// does not say whose it is.
func openSlaveDevice(c *vfs.Caller, p vfs.Path, flags linux.OpenFlags) (vfs.File, error) {
	if n, ok := p.Inode().(*node); ok {
		return n.Open(c, p, flags)
	}
	return nil, linux.EIO
}
