// Package overlay has the two file systems that lay directories over one another: FS, a
// writable one over read-only ones, the root of a sandbox with the host's directory
// below and memory above; and Union, what a guest mounts as "overlay", with layers that
// are directories of the guest.
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
// A Union has private mounts of its layers and reaches everything in them by name,
// with the credentials of whoever mounted it. A Node is one object of it: what it is in
// the upper layer, once it is there, and in lower ones. Names that are removed, opaque
// directories and where a copy came from are kept in the upper layer in Linux's form
// (whiteouts, trusted.overlay or user.overlay attributes), so that engines can write
// and read layers. What is copied is made in workdir and then renamed.
//
// # Locking
//
// A directory's names are changed with vfs's lock of it held. Inode.mu and
// FS.mu (rank Inode) guard the fields; they do not nest and are not held across
// a call to a layer. Inode.copying is held across the copy of the data, which
// may wait for the gofer: two who open a file for writing must not copy it
// twice.
//
// A Node's lock, CopyUp, is held across calls to the layers, whose locks lie below all
// of the Union's (lock.Mutex.LockBelow). Union.mu guards the table of Nodes.
//
// # Lifetimes
//
// An Inode that differs from its lower layer is pinned by the entry of its
// directory, up to the root. Others go when vfs evicts them. The lower and
// upper inodes of an Inode are held (vfs.HoldInode) as long as it may need them.
//
// A Union holds its layers' mounts until its own last mount and description have gone:
// their places can be unmounted before. A Node holds its layers' inodes until it is
// evicted; what it is can be found again by its name.
//
// # Differences
//
// A Union does not do redirect_dir, metacopy, index, nfs_export, verity and data-only
// layers: EINVAL; what others left so is EPERM, as with redirect_dir=nofollow. A file
// of the upper layer can be executed and written at once through both. All Nodes show
// the Union's device, with numbers that tell file systems apart, as with xino=on. Who
// looks into the upper directory may see a change of names half made.
//
// Hard links below stay hard links after a copy. Inode numbers do not change
// by a copy: they are the lower layer's, and high ones for what was made here.
package overlay
