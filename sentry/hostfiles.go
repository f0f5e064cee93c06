package sentry

import (
	"sync/atomic"

	"cordon/platform"
)

// hostFiles numbers the host files that guests map and tells the platform when
// one is closed.
type hostFiles struct {
	next     atomic.Uint64
	platform platform.Platform // set before the first mount
}

// NewHostFileID implements goferfs.HostFiles.
func (h *hostFiles) NewHostFileID() uint64 { return h.next.Add(1) }

// ForgetFile implements goferfs.HostFiles.
func (h *hostFiles) ForgetFile(f platform.HostFile) { h.platform.ForgetFile(f) }
