// Package hostfs is the only code of cordon that opens host files for a
// guest: it serves directories of the host to one Sentry, through package
// server.
//
// # Objects
//
// A Config lists mounts: directories opened once at the start, each with what
// is allowed below it. A node is an inode that the Sentry holds a handle of: an
// O_PATH descriptor, so the inode stays the same whatever happens to its names.
//
// Every path the guest can form is resolved one component at a time, from a
// node's descriptor, by openat2 with RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS and
// RESOLVE_NO_MAGICLINKS. No path is ever put together from strings, no
// symbolic link is followed, and "..", "." and names with a slash or NUL are
// refused before the kernel sees them. A host process that renames while the
// gofer walks can make a walk fail or lead elsewhere below the mount's root,
// never outside it. Mount points below the root are crossed as on the host;
// the attributes show the other device.
//
// A node is opened for its data through /proc/self/fd, which is the inode
// again and not a name. Only regular files and directories are ever opened:
// opening a FIFO or device could block or act. A mount that cannot be written has
// its files opened by name, after statx(2) has said that one is a regular file and
// without waiting for anybody (O_NONBLOCK), and what that was is checked before it
// is used: who can put a device into the place of a file there, between two calls,
// is the host. A regular file's descriptor is
// donated to the Sentry and closed here; many small ones at once are read and
// closed instead, if their mount cannot be written.
//
// # Locking
//
// A scan that goes on has a handle as a node has; its mutex is held while a piece
// is made. table.mu guards the map of handles and is held for no system call. A node's
// dir.mu serialises listings through the one open descriptor. Locks of guests
// are open file descriptions of their own, in lockTable.
//
// # Lifetimes
//
// A node lives as long as its handle or a 9P fid of it; a handle until the
// Sentry clunks it. The number of handles is bounded by maxHandles; the
// process's RLIMIT_NOFILE should be above it, and is the bound if it is not.
//
// # Credentials
//
// Operations are made with the gofer's own credentials; who may do what inside
// the guest is decided in the Sentry. With CAP_CHOWN a new file is given to the
// user and group that the request names; without it, it stays the gofer's.
//
// # Differences
//
// Character and block devices are not created, only the 0:0 device that marks
// a whiteout. Extended attributes are those of user programs (user.*),
// security.capability and trusted.overlay.*.
package hostfs
