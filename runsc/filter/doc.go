// Package filter holds the system call tables of the three zones of a
// sandbox: the Sentry, the gofer and the stubs. A table is the only thing that
// says what a zone may ask the host for; the filter is compiled from it, `runsc
// debug filters` prints it, and tests compare the two.
//
// # Objects
//
// A Rule allows one system call, under conditions on its arguments, for a
// reason. A Table is a list of rules; whatever none of them allows ends the
// process. Compile renders a table by libseccomp; programs.bin holds what it made
// of our tables, since that takes longer than a process takes to start, and
// Program compiles only a table that has changed since. The process that starts
// the sandbox puts the program into the spec, and Install puts it on every
// thread of the process at once. Stubs get theirs from their platform, which knows the
// addresses that its rules depend on; the table here shows those rules.
//
// # Differences
//
// clone3 takes its arguments from memory, where no filter can see them. It is
// answered with ENOSYS, upon which the C library uses clone.
package filter
