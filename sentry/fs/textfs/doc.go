// Package textfs is what file systems made of the kernel's own values are built
// from: procfs, sysfs and cgroupfs are trees of its directories and files.
//
// # Objects
//
// An FS is an instance. Every inode embeds a Node (number, mode, owner, times).
// The ready-made ones:
//
//	Dir     a directory with fixed names, filled while the tree is built
//	Dynamic a directory whose names a function finds and lists
//	File    a file whose text a function makes, and another may take
//	Link    a symbolic link whose target a function makes; a magic link if it
//	        has Jump
//
// A file system with other needs embeds Node in an inode of its own.
//
//	fs := textfs.New(textfs.Options{Type: "proc", Magic: linux.PROC_SUPER_MAGIC, ...})
//	root := fs.NewDir(0o555)
//	root.Add("version", fs.NewFile(0o444, func(*cred.Credentials) ([]byte, error) { ... }))
//	fs.SetRoot(root)
//
// # Reading
//
// A File's text is made when an open file is read at offset 0, and kept for the
// reads that follow it: one pass sees one state, and a program that keeps the
// file open and reads it anew from the start sees the present (Linux:
// seq_file).
//
// # Names that change
//
// The dentry cache asks before it trusts a name. An inode with a Valid method
// is asked whether it is still meant; an absence in a Dynamic directory is
// never trusted.
//
// # Locking
//
// A Dir is built before it is mounted, or changed under its own lock. The
// functions of an inode are called with no lock but, for Lookup, the dentry
// lock of the directory, and for reads the description's.
//
// # Checkpoint
//
// Nothing is saved: whoever builds the tree builds it again.
package textfs
