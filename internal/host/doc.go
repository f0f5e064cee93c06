// Package host has a typed wrapper for every system call that the Sentry makes
// of the host on its own behalf; Go's runtime makes some more. Nothing above
// imports os or net, so that calls.go and the seccomp filter can be held against
// each other.
//
// Host descriptors are ints, as opposed to a guest's linux.FD. Every error is a
// linux.Errno. Calls that a signal can interrupt before they did anything are
// repeated, except for those that wait: Poll, EpollWait, FutexWait and Recvmsg
// return EINTR.
package host
