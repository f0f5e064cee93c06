package vfs

import "cordon/internal/linux"

// ErrRestart is what a File returns after it has sent its caller a signal that
// stops it (a background read of a terminal): the call begins anew when the
// caller goes on, or is EINTR. It never reaches a guest.
const ErrRestart = linux.ERESTART
