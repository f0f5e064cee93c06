// Package syscalls is the system call table and the handlers.
//
// One table (table.go) has a row for every system call of Linux 6.12 with its
// numbers on amd64 and arm64. A handler's signature is its declaration: the
// types of package arg and package linux say what each argument means, its
// direction and its size. Dispatch, the trace, docs/syscalls.md and the
// fuzzer's grammar come from the table by reflection, once, when a Table is
// made; a call itself costs no reflection and no allocation.
//
// A handler decodes its arguments, checks in Linux's order (flags, descriptor,
// pointers), and calls the object that has the logic. It returns a result, or
// an error that is a linux.Errno, a task.Restart or task.Replaced.
//
// # Adding a call
//
// Write the handler in its family's file, name it in its row with Full, or
// Partial and a note, add a program to test/prog that calls it, run make docs.
package syscalls
