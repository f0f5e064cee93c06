package tmpfs

import (
	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// NewMemfd is memfd_create(2) in fs, an instance that is mounted nowhere. The
// flags have been checked but for what is absent here.
func NewMemfd(v *vfs.VFS, fs *FS, c *vfs.Caller, name string, flags linux.MemfdFlags) (*vfs.Description, error) {
	if flags&linux.MFD_HUGETLB != 0 {
		return nil, linux.ENOENT // Linux's answer where no huge pages are set up is ENOMEM or ENOENT
	}
	mode := linux.FileMode(0o777)
	if flags&linux.MFD_NOEXEC_SEAL != 0 {
		mode = 0o666
	}
	i, err := fs.newInode(&vfs.NewInode{Mode: linux.S_IFREG | mode, UID: c.Cred.FSUID, GID: c.Cred.FSGID, Charge: vfs.ChargeOf(c)})
	if err != nil {
		return nil, err
	}
	f := i.(*file)
	switch {
	case flags&linux.MFD_NOEXEC_SEAL != 0:
		f.seals = linux.F_SEAL_EXEC
	case flags&linux.MFD_ALLOW_SEALING != 0:
		f.seals = 0
	}
	p := v.AnonPath(f, "/memfd:"+name+" (deleted)")
	d, err := vfs.OpenPath(c, p, linux.O_RDWR|linux.O_LARGEFILE)
	p.Dentry.DropHold()
	if err == nil {
		d.LetExecute()
	}
	return d, err
}

// Seals implements vfs.Sealer.
func (o openFile) Seals() (linux.Seals, error) {
	o.f.mu.Lock()
	defer o.f.mu.Unlock()
	return o.f.seals, nil
}

// AddSeals implements vfs.Sealer.
func (o openFile) AddSeals(s linux.Seals) error {
	const known = linux.F_SEAL_SEAL | linux.F_SEAL_SHRINK | linux.F_SEAL_GROW | linux.F_SEAL_WRITE |
		linux.F_SEAL_FUTURE_WRITE | linux.F_SEAL_EXEC
	if s&^known != 0 {
		return linux.EINVAL
	}
	f := o.f
	f.io.Lock() // a write that has begun ends first
	defer f.io.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seals&linux.F_SEAL_SEAL != 0 {
		return linux.EPERM
	}
	if s&linux.F_SEAL_WRITE != 0 && f.seals&linux.F_SEAL_WRITE == 0 && f.maps.Writable() {
		return linux.EBUSY
	}
	if s&linux.F_SEAL_EXEC != 0 && f.mode&0o111 != 0 {
		s |= linux.F_SEAL_SHRINK | linux.F_SEAL_GROW | linux.F_SEAL_WRITE | linux.F_SEAL_FUTURE_WRITE
	}
	f.seals |= s
	return nil
}
