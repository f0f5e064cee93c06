package sentry

import (
	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

func (k *Kernel) terminal(p *Process, stdio [3]int32, fds *vfs.FDTable) (*vfs.FDTable, vfs.TTY, error) {
	return nil, nil, linux.ENODEV
}
