// Package checkpoint writes and reads the image of a sandbox's kernel state.
//
// # Objects
//
// Every package with objects that live across syscalls lists them in a function
// Kinds, one Kind for each type, made by Object from two functions: one turns
// the live object into its Image, a struct of plain data (CheckPlain) in which a
// Ref stands for each pointer; the other fills a fresh object from an Image.
// Save starts at a root and follows every Ref it hands out; Load makes all
// objects first and then fills them, in the same order, so that Get can resolve
// any Ref, in cycles too, to an object that exists but may not be filled yet.
// What needs filled objects goes into AfterLoad.
//
//	type Image struct { Name string; Parent checkpoint.Ref; Kids []checkpoint.Ref }
//
//	func Kinds() []checkpoint.Kind {
//		return []checkpoint.Kind{checkpoint.Object("vfs.Dentry", (*Dentry).image, (*Dentry).restore)}
//	}
//
// A descriptor, connection or terminal of the host is not in the image: the
// object saves the name of a slot, and whoever restores supplies it.
//
// # The file
//
// A header (magic, format, flags) and sections, each with its lengths and a
// CRC32C, compressed by zstd or not: a table of slots and the number of objects,
// one section for each kind, an end. A kind's section carries its version and
// its schema, the names and types of the Image's fields, so that an image can be
// read without the program that wrote it. A field that the reader lacks is
// skipped; one that the file lacks is zero. The same state gives the same bytes.
//
// Load takes its input for hostile: it answers with an error, and allocates no
// more than a small multiple of what it has read. The functions that fill
// objects must treat Images so too.
package checkpoint
