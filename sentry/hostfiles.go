package sentry

import (
	"sync/atomic"

	"cordon/platform"

	"golang.org/x/sys/unix"
)

// hostFiles numbers the host files that guests map and tells the platform when
// one is closed.
type hostFiles struct {
	next     atomic.Uint64
	platform platform.Platform // set before the first mount
	limit    int               // of descriptors; set before the first mount
}

// measure notes the limit of descriptors, which the filter lets nobody ask for later.
func (h *hostFiles) measure() {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) == nil {
		h.limit = int(min(r.Cur, 1<<20))
	}
}

// Descriptors implements goferfs.HostFiles.
func (h *hostFiles) Descriptors() int { return h.limit }

// NewHostFileID implements goferfs.HostFiles.
func (h *hostFiles) NewHostFileID() uint64 { return h.next.Add(1) }

// ForgetFile implements goferfs.HostFiles.
func (h *hostFiles) ForgetFile(f platform.HostFile) { h.platform.ForgetFile(f) }
