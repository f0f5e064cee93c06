// Package host has typed wrappers for system calls that the Sentry makes of the host on
// its own behalf. What moves a guest's data (donated files, standard files, guest
// memory) and the platforms make calls of their own, which runsc/filter names; Go's
// runtime makes some more. Nothing above imports os or net, so that calls.go and the
// seccomp filter can be held against each other.
//
// Host descriptors are ints, as opposed to a guest's linux.FD. Every error is a
// linux.Errno. Calls that a signal can interrupt before they did anything are
// repeated, except for those that wait: Poll, EpollRest, FutexWait and RecvFDs
// return EINTR.
package host
