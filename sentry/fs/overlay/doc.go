// Package overlay is a writable file system over read-only ones: the root of a
// sandbox, with the host's directory below and memory above.
//
// # Objects
//
// An FS has lower file systems, the highest first, and a store of upper files:
// a tmpfs, of which it needs only that it makes files without names. An Inode
// is one object of the merged tree. It begins as what a lower layer has, or is
// made here.
//
// Names that differ from the lower layers are kept by the overlay itself, in
// memory: a directory's changes map has an entry for every name that was made,
// renamed or removed in it. An entry without an Inode is a whiteout. So a
// rename, of a merged directory too, moves an entry and copies nothing: the
// Inode keeps its lower directories wherever it goes. A directory made here has
// no lower directories, which is all that being opaque takes.
//
// Metadata that differs is kept in the Inode, without copying data: chmod and
// chown of a lower file cost no more than that. The data of a regular file is
// copied to a new upper file when it is first opened for writing, truncated or
// allocated. Descriptors that were opened for reading before go on with the
// upper file; mappings of the lower file are dropped and fault the upper
// file's pages in, private copies excepted.
//
// # Locking
//
// A directory's names are changed with vfs's lock of it held. Inode.mu and
// FS.mu (rank Inode) guard the fields; they do not nest and are not held across
// a call to a layer. Inode.copying is held across the copy of the data, which
// may wait for the gofer: two who open a file for writing must not copy it
// twice.
//
// # Lifetimes
//
// An Inode that differs from its lower layer is pinned by the entry of its
// directory, up to the root. Others go when vfs evicts them. The lower and
// upper inodes of an Inode are held (vfs.HoldInode) as long as it may need them.
//
// # Differences
//
// Hard links below stay hard links after a copy. Inode numbers do not change
// by a copy: they are the lower layer's, and high ones for what was made here.
package overlay
