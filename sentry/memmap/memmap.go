// Package memmap is where the memory manager and mappable files meet: mm maps
// Mappables, file systems implement them, and neither knows the other.
//
// # Objects
//
// A Mappable is a file's contents as something to map (one per inode, not per
// open). A Backing is a host file that pages of it live in: the memory file, or
// a descriptor that the gofer donated. A Translation says where a part of a
// Mappable is now.
//
// # Locking
//
// mm calls Translate, AddMapping and RemoveMapping with its mapping lock held;
// implementations take only locks that rank after it. A Mappable calls
// MappingSpace.Invalidate with no lock of its own that Translate takes.
package memmap

import (
	"cordon/internal/linux"
	"cordon/platform"
)

// A Range is [Start, End) in a file's offsets.
type Range struct{ Start, End uint64 }

// Len returns the number of bytes in r.
func (r Range) Len() uint64 { return r.End - r.Start }

// A Backing is a host file whose pages guests may map.
type Backing interface {
	// HostFile names the file for the platform.
	HostFile() platform.HostFile
	// IncRef and DecRef keep the pages of r alive. Pages start with the
	// reference that Translate's caller is given only for the call.
	IncRef(r Range)
	DecRef(r Range)
	// Window returns the Sentry's own mapping of r, or nil where there is
	// none (use ReadAt and WriteAt then). It may be shorter than r; the rest
	// is to be asked for again.
	Window(r Range) []byte
	// ReadAt and WriteAt move bytes as pread(2) and pwrite(2) do. ReadAt
	// past the end of the file is short.
	ReadAt(p []byte, off uint64) (int, error)
	WriteAt(p []byte, off uint64) (int, error)
}

// A Translation maps part of a Mappable to its backing.
type Translation struct {
	Source Range // in the Mappable
	File   Backing
	Offset uint64 // in File, of Source.Start
	// Writable says whether stores may go to the pages directly. A private
	// mapping never stores through a translation whatever this says.
	Writable bool
}

// A Mappable is file contents that can be mapped.
type Mappable interface {
	// Translate returns translations covering required, and more of optional
	// where that costs nothing. required is within optional; both are page
	// multiples. write asks for pages that may be stored to (shared mappings
	// only): the file notes the page as dirty. Where required lies beyond the
	// end of the file the error is linux.EFAULT with what could be translated
	// (the guest gets SIGBUS).
	Translate(required, optional Range, write bool) ([]Translation, error)

	// AddMapping tells the file that ms maps r of it; the file keeps ms to
	// call Invalidate when pages move or go. RemoveMapping undoes one
	// AddMapping of exactly these bytes (mm splits and merges as it likes).
	AddMapping(ms MappingSpace, addr uint64, r Range, writable bool) error
	RemoveMapping(ms MappingSpace, addr uint64, r Range, writable bool)
}

// A MappingSpace is the memory manager as a Mappable sees it.
type MappingSpace interface {
	// Invalidate drops every translation of [addr, addr+n) that came from
	// file, and private copies of its pages too if andPrivate (truncation).
	// When it returns no guest thread of the space can use one. Addresses
	// that map something else by now are left alone.
	Invalidate(file Mappable, addr, n uint64, andPrivate bool)
}

// A File is an open file as mm keeps it in a mapping: what /proc/self/maps
// names and what keeps the file open. vfs.Description implements it.
type File interface {
	IncRef()
	DecRef()
	// MapName returns the path for /proc/pid/maps and whether it is deleted.
	MapName() (path string, deleted bool)
	// DeviceInode returns st_dev and st_ino.
	DeviceInode() (dev uint64, ino uint64)
	// Msync writes back what msync(2) promises.
	Msync(r Range) linux.Errno
}
