package loader

import (
	"encoding/binary"

	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/vfs"
)

// credentials returns the identity that the program runs with.
func (b *builder) credentials() (*cred.Credentials, bool, linux.Errno) {
	a := &b.file.attr
	x := &cred.Executable{
		Mode: a.Mode, UID: a.UID, GID: a.GID,
		NoSetID: b.file.d.Path().NoSetID(b.c.Cred.UserNS) || b.t.WeaklyTraced(),
	}
	if !a.HasOwner(b.c.Cred.UserNS) { // nobody whom the program could become
		x.Mode &^= linux.S_ISUID | linux.S_ISGID
	}
	if store, ok := b.file.d.Inode().(vfs.XattrStore); ok {
		if v, err := store.GetXattr("security.capability"); err == nil {
			parseFileCaps(v, x, func(root uint32) bool { return b.file.d.Path().CapsCount(root, b.c.Cred.UserNS) })
		}
	}
	return b.c.Cred.ForExec(x)
}

// parseFileCaps reads struct vfs_cap_data, revision 2 or 3 (capabilities(7)).
// An entry for a root that does not count is ignored, as is what is malformed.
func parseFileCaps(v []byte, x *cred.Executable, count func(root uint32) bool) {
	if len(v) < 20 {
		return
	}
	le := binary.LittleEndian
	magic := le.Uint32(v)
	const rev2, rev3, revMask = 0x02000000, 0x03000000, 0xff000000
	root := uint32(0)
	switch magic & revMask {
	case rev2:
	case rev3:
		if len(v) < 24 {
			return
		}
		root = le.Uint32(v[20:])
	default:
		return
	}
	if !count(root) {
		return
	}
	x.HasFileCaps = true
	x.FileEffective = magic&1 != 0
	x.FilePermitted = cred.CapSet(le.Uint32(v[4:])) | cred.CapSet(le.Uint32(v[12:]))<<32
	x.FileInheritable = cred.CapSet(le.Uint32(v[8:])) | cred.CapSet(le.Uint32(v[16:]))<<32
	x.FilePermitted &= cred.AllCaps
	x.FileInheritable &= cred.AllCaps
}
