package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/fs/tmpfs"
	"cordon/sentry/task"
)

// maxMemfdName is the longest name with its NUL (Linux: MFD_NAME_MAX_LEN).
const maxMemfdName = 250

// sysMemfdCreate is memfd_create(2).
//
// Partial: MFD_HUGETLB is ENOENT, as where no huge pages are reserved
func sysMemfdCreate(t *task.Task, name arg.CString, flags linux.MemfdFlags) (uintptr, error) {
	const known = linux.MFD_CLOEXEC | linux.MFD_ALLOW_SEALING | linux.MFD_HUGETLB | linux.MFD_NOEXEC_SEAL | linux.MFD_EXEC
	const hugeSize = linux.MemfdFlags(0x3f) << 26
	f := flags
	if f&linux.MFD_HUGETLB != 0 {
		f &^= hugeSize
	}
	const exec = linux.MFD_EXEC | linux.MFD_NOEXEC_SEAL
	if f&^known != 0 || f&exec == exec {
		return 0, linux.EINVAL
	}
	s, err := name.Load(t.MM(), maxMemfdName)
	if err != nil {
		if err != linux.EFAULT {
			err = linux.EINVAL
		}
		return 0, err
	}
	d, err := tmpfs.NewMemfd(t.System().VFS, t.System().Memfds, t.Caller(), s, f)
	if err != nil {
		return 0, err
	}
	var open linux.OpenFlags
	if f&linux.MFD_CLOEXEC != 0 {
		open = linux.O_CLOEXEC
	}
	return install(t, d, open)
}
