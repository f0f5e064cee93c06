// Package hostfd is files over descriptors that the Sentry inherited: the
// standard input, output and error of a sandboxed program.
//
// # Objects
//
// An Inode holds one host descriptor, whatever it is: a regular file, a pipe, a
// socket, a terminal or another character device. A File is one description of
// it. The Notifier is one goroutine of the sandbox that sleeps in epoll_wait(2)
// and turns the host's events into wake-ups; an idle sandbox's never runs.
//
// The descriptor is shared with whoever started the sandbox, so nothing of it
// is changed that others would see: bytes are read and written at the host's
// own offset, so that "> file" and ">> file" behave; and O_NONBLOCK stays as it
// is. Calls that must not block say so one by one (RWF_NOWAIT, MSG_DONTWAIT);
// where the host has no such flag (terminals), poll(2) is asked first.
//
// # Locking
//
// None but the queue's and the terminal control's. The host orders the I/O.
//
// # Lifetimes
//
// The Inode counts its Files; with the last one the host descriptor is closed.
//
// # Checkpoint
//
// Saved: the name of the slot (such as "stdin") that whoever restores fills.
//
// # Differences
//
// mmap(2) of an inherited regular file is refused with ENODEV. A terminal that
// two programs read at once, one of them outside, can make a read wait in the
// host until more input comes. Only sizes and contents can be changed, not
// modes, owners or times.
package hostfd
