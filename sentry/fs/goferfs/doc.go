// Package goferfs is the file system of host directories, served by a gofer.
//
// # Objects
//
// An FS is one attached mount. An Inode stands for a host inode, found again by
// its host device and number, so that its hard links share it. It keeps the
// attributes it was last told of, and lazily a node (the gofer's handle) and
// host files: descriptors that the gofer donated, one for reading and one for
// reading and writing. Data moves between them and user memory without
// a copy between, and they are what a mapping maps, so the host's page cache
// is the only one.
//
// An exclusive mount belongs to this sandbox: names, absences, attributes and
// listings are kept and never asked for again. A listing stays as the gofer sent
// it (names.go): a name costs tens of bytes until it is looked up, and then has
// its Inode without the gofer if its attributes are there. They come with the
// names once a program has wanted those of files in what it reads, as NFS's
// readdirplus does it, and before for the rest of a directory at a time. A
// directory that is looked up in often is listed once, with the attributes of
// all it has, and answers from that.
//
// What a program does next is asked for before it does it: the rest of a path
// with its first name, the tree that a directory is read in (scan.go), the files
// behind one that is opened (openahead.go). Of a tree and of files the gofer makes
// the next piece while the program works on the one before; it is waited for
// only when it is needed, and the last one that nobody wanted stays in the
// channel until then. Small files of a mount that cannot be written come as their
// contents (inline.go): they have a descriptor only when they are mapped, or read
// more than a second later. A shared mount asks again: for the cached part of a path in
// one round trip, for attributes by fstat on a donated descriptor or from the
// gofer.
//
// # Locking
//
// Inode.mu and FS.mu have the rank Inode; neither is held across a call to the
// gofer, and they do not nest; names.mu ranks after them. A tree is
// worked on by who has put a token in its turn, which is held across a call:
// nobody who waits for it holds a lock. Inode.tail ranks before them (InodeData) and is held across
// an append's copy from user memory. What Translate needs is atomic: it is
// called with the memory manager's locks held.
//
// # Lifetimes
//
// vfs evicts an Inode when no dentry and no description holds it: then the node
// is clunked and the descriptors are closed. Before, descriptors that no open
// file uses are kept, up to maxIdle of them. A host file is counted by its
// Inode, by open Files, and by the bytes that are mapped. About maxNodes nodes
// are kept: an Inode that lost its node, so or by its eviction, walks to it
// again from its parent, by its name.
//
// # Differences
//
// The inode numbers are the host's, except those of other devices below the
// root, which are shifted apart. Access times are the host's: reading through
// a donated descriptor updates them as the host's mount says. What somebody on the
// host writes to a small file of an exclusive mount may be seen a second late. Device nodes
// cannot be made.
package goferfs
