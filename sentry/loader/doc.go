// Package loader makes an address space out of a program: ELF executables and
// their interpreters, scripts, the first stack with its arguments and auxiliary
// vector, and the vDSO.
//
// # Objects
//
// A Loader is made once for a sandbox and implements task.Loader. A VDSO is the
// shared object that every program gets, with the page of clock parameters that
// the Sentry keeps current. A time namespace has a page of its own (a timePage) as
// long as address spaces map it.
//
// # Failures
//
// What is wrong with a program is found before anything is given up where
// Linux does so too: the caller of execve(2) gets an errno and runs on. Files
// are hostile: every field is checked, every size bounded.
//
// # Differences
//
// No binfmt_misc and no core scheduling: what is neither ELF for amd64 nor a
// script is ENOEXEC.
package loader
