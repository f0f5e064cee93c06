// Command syscalls calls the Sentry at random from inside a sandbox. The calls,
// the kinds of their arguments, the flags and the layouts of structures come
// from the syscall table's own declarations (grammar.go); a static C program
// (guest/calls.c) draws from them, in children that may crash. A finding is a
// Sentry that panics, a guest that no longer makes progress, or a child that
// SIGKILL does not end. Every round prints its seed; -seed runs it again. A runsc
// built with -tags lockcheck shows locks taken in a wrong order, too.
package main
