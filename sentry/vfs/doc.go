// Package vfs is the file layer: paths, mounts, the dentry cache, open file
// descriptions and descriptor tables. File systems implement its interfaces;
// system calls use its functions.
//
// # Objects
//
// An Inode is one object of a file system. A Dentry is a name for it in the
// cache, owned by this package; a Dentry without an inode is a cached absence.
// A Mount shows a FileSystem at a Path (a mount and a dentry in it). A
// Description is an open file (open(2)'s "open file description"): flags,
// offset, and the File that the inode made for it. An FDTable maps descriptors
// to descriptions.
//
// A MountContext is what a file system is made of (fsopen(2)); a Tree is mounts that
// stand nowhere yet. A Ruleset is a description's; a Domain, made of rulesets, belongs
// to credentials and forbids what it does not allow by place (landlock(7)).
//
// # Interfaces
//
// Inode and File are small; every further ability is an optional interface of
// this package (Directory, Opener, Symlink, ReaderAt, Poller, ...), asserted in
// one place, which supplies the errno for "cannot". Permission checks that
// depend only on attributes are made here; file systems do not repeat them.
//
// # Blocking
//
// Nothing here sleeps for another guest. What would block returns EAGAIN, and
// the File's wait queue says when to try again; task's I/O loop sleeps.
//
// # Locking
//
// A directory's dentry lock is held across its file system's Lookup, Create,
// Link, Unlink and Rename, so that a name has one meaning at a time and file
// systems need no lock for their names. It is the one lock that may be held
// across a call to the gofer: it plays the part of Linux's i_rwsem. Renames
// between directories take the file system's rename lock first, then both
// directories, ancestor first.
//
// # Lifetimes
//
// Descriptions are counted: the last DecRef releases the File. Mounts are
// counted by what lies on them (Path.IncRef) and by being attached. Dentries and
// inodes belong to the garbage collector, except that an Inode which implements
// Evicter is told when its last dentry and description have gone. The cache
// keeps a bounded number of dentries; those it gives up are found again as long
// as anybody holds them (dcache.go). When memory is short they all go, and file
// systems give up what they can read again (reclaim.go).
//
// # Differences
//
// POSIX ACLs are absent (EOPNOTSUPP), as are leases and directory notification
// by fcntl(2). O_DIRECT is refused where a File is no DirectIO. An overlay, and what the
// gofer serves, can be shown by identity-mapped mounts. A landlock rule for a file is
// not one for its other hard links, and whom landlock restricts may not call fsopen(2)
// and open_tree(2) either.
package vfs
