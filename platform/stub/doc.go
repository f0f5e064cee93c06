// Package stub is what platforms that run guests in stub processes share: the
// zygote that stubs are forked from, its image, seccomp filters in the kernel's
// form, sets of address ranges and placement of threads on processors.
//
// # Objects
//
// A Zygote is a tiny static program of the platform's, executed from a memfd with
// one socket and nothing else. It forks stubs on command, and keeps the one
// descriptor table that all stubs share, into which files to be mapped are donated
// once.
//
// # Lifetimes
//
// The zygote ends when its socket to the Sentry closes; its stubs ask to be killed
// with it.
package stub
