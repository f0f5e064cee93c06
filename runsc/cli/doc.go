// Package cli is the command line of runsc: its commands, their flags, their
// messages and their exit codes.
//
// # Objects
//
// A command is a row of the table in commands.go: name, arguments, summary,
// examples, a function that declares its flags, and one that runs it. Run finds
// the row, parses flags, and turns an error into one line on standard error and
// an exit code.
//
// # Differences
//
// Namespaces of the host that a configuration leaves out are not shared: the
// processes that the host sees of a sandbox are in namespaces of their own.
//
// Flags, exit codes and messages of the OCI commands are runc 1.1's. Options
// of runc that have no meaning here are refused, not ignored, unless a client
// that cordon supports always gives them. A checkpoint is one file,
// checkpoint.img, written by the Sentry; CRIU's options that make no difference
// to that are accepted.
//
// --preserve-fds refuses what would open more of the host than itself: directories,
// devices that not every container has, and descriptors of no file (epoll, pidfd).
//
// A startContainer hook runs in the guest, as root there, before the program.
// createContainer hooks run in the runtime's namespaces, as the container's are
// not the host's.
package cli
