package mm

import (
	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/sentry/memmap"
)

const (
	pageSize = linux.PageSize
	pageMask = linux.PageMask
	hugeSize = linux.HugePageSize

	protAll = linux.PROT_READ | linux.PROT_WRITE | linux.PROT_EXEC
)

// vmaFlags are what mmap, madvise and mlock say about a mapping.
type vmaFlags uint32

const (
	vmShared vmaFlags = 1 << iota
	vmGrowsDown
	vmLocked
	vmLockOnFault
	vmDontFork
	vmWipeOnFork
	vmDontDump
	vmNoReserve
	vmHuge
	vmNoHuge
	vmMergeable
	vmSequential
	vmRandom
	// vmSpecial mappings ([vdso]) are no part of what programs account for.
	vmSpecial
)

// A vma is what the guest asked for at a range of addresses.
type vma struct {
	prot  linux.Prot // of protAll
	may   linux.Prot // what mprotect may give
	flags vmaFlags

	// mappable is nil for private anonymous memory; off is the offset in it of
	// the range's first byte.
	mappable memmap.Mappable
	off      uint64
	// file has a reference for each segment.
	file memmap.File
	name string
}

func newVMAs() seg.Set[vma] {
	return seg.New(seg.Funcs[vma]{Merge: mergeVMA, Split: splitVMA})
}

func splitVMA(r seg.Range, v vma, at uint64) (vma, vma) {
	w := v
	if v.mappable != nil {
		w.off += at - r.Start
	}
	if v.file != nil {
		v.file.IncRef()
	}
	return v, w
}

func mergeVMA(r1 seg.Range, v1 vma, _ seg.Range, v2 vma) (vma, bool) {
	next := v1
	if v1.mappable != nil {
		next.off += r1.Len()
	}
	if next != v2 || v1.flags&vmSpecial != 0 {
		return v1, false
	}
	if v1.file != nil {
		v1.file.DecRef() // never the last: v1 keeps its own
	}
	return v1, true
}

// effective is what the processor allows with prot: amd64 has no mapping that
// can be written or executed but not read.
func effective(p linux.Prot) linux.Prot {
	if p&(linux.PROT_WRITE|linux.PROT_EXEC) != 0 {
		p |= linux.PROT_READ
	}
	return p & protAll
}

func (v *vma) shared() bool { return v.flags&vmShared != 0 }

// anon reports whether v is private anonymous memory.
func (v *vma) anon() bool { return v.mappable == nil }

// tracksWrites is AddMapping's writable: the mapping can ever store to the
// file.
func (v *vma) tracksWrites() bool { return v.shared() && v.may&linux.PROT_WRITE != 0 }

// data reports whether RLIMIT_DATA counts v: private, writable and no stack.
func (v *vma) data() bool {
	return v.prot&linux.PROT_WRITE != 0 && v.flags&(vmShared|vmGrowsDown) == 0
}

// offAt returns the offset in the mappable of address at, v starting at start.
func (v *vma) offAt(start, at uint64) uint64 { return v.off + (at - start) }

// sizes are the byte counts of an address space, as the limits see them.
type sizes struct {
	total, data, stack, exec, locked uint64
}

// account adds (sign 1) or takes away (sign -1) a mapping of n bytes.
func (s *sizes) account(v *vma, n uint64, sign int) {
	if sign < 0 {
		n = -n
	}
	s.total += n
	if v.data() {
		s.data += n
	}
	if v.flags&vmGrowsDown != 0 {
		s.stack += n
	}
	if v.prot&linux.PROT_EXEC != 0 && v.prot&linux.PROT_WRITE == 0 && v.flags&vmGrowsDown == 0 {
		s.exec += n
	}
	if v.flags&vmLocked != 0 {
		s.locked += n
	}
}

// pageUp rounds up to a page; ok is false on overflow.
func pageUp(n uint64) (up uint64, ok bool) {
	up = (n + pageMask) &^ pageMask
	return up, up >= n
}

func pageDown(n uint64) uint64 { return n &^ pageMask }
