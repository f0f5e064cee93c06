package sim

import (
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/platform"
)

// A region is one mapping.
type region struct {
	start, end uint64
	prot       linux.Prot
	file       platform.HostFile
	offset     uint64
}

// AddressSpace is a platform.AddressSpace: a list of regions.
type AddressSpace struct {
	mu sync.RWMutex
	// guarded by mu
	regions []region // sorted, disjoint
}

// Apply performs ops.
func (a *AddressSpace) Apply(_ platform.Context, ops []platform.Op) linux.Errno {
	a.mu.Lock()
	defer a.mu.Unlock()
	for k := range ops {
		if e := a.applyLocked(&ops[k]); e != 0 {
			return e
		}
	}
	return 0
}

func (a *AddressSpace) applyLocked(op *platform.Op) linux.Errno {
	end := op.Addr + op.Len
	if op.Addr%pageSize != 0 || op.Len%pageSize != 0 || op.Len == 0 || op.Offset%pageSize != 0 ||
		op.Addr < minAddress || end > maxAddress || end < op.Addr {
		return linux.EINVAL
	}
	switch op.Kind {
	case platform.OpMap:
		at := a.clearLocked(op.Addr, end)
		a.regions = slices.Insert(a.regions, at, region{op.Addr, end, op.Prot, op.File, op.Offset})
	case platform.OpUnmap, platform.OpReserve:
		a.clearLocked(op.Addr, end)
	case platform.OpProtect:
		a.splitLocked(op.Addr)
		a.splitLocked(end)
		for k := range a.regions {
			if r := &a.regions[k]; r.start >= op.Addr && r.end <= end {
				r.prot = op.Prot
			}
		}
	default:
		return linux.EINVAL
	}
	return 0
}

// splitLocked makes addr a border of regions.
func (a *AddressSpace) splitLocked(addr uint64) {
	k := a.findLocked(addr)
	if k == len(a.regions) || a.regions[k].start >= addr {
		return
	}
	right := a.regions[k]
	right.offset += addr - right.start
	right.start = addr
	a.regions[k].end = addr
	a.regions = slices.Insert(a.regions, k+1, right)
}

// clearLocked removes [start, end) and returns where it was.
func (a *AddressSpace) clearLocked(start, end uint64) int {
	a.splitLocked(start)
	a.splitLocked(end)
	from, to := a.findLocked(start), a.findLocked(end)
	a.regions = slices.Delete(a.regions, from, to)
	return from
}

// findLocked returns the first region that ends above addr.
func (a *AddressSpace) findLocked(addr uint64) int {
	k, _ := slices.BinarySearchFunc(a.regions, addr, func(r region, addr uint64) int {
		if r.end <= addr {
			return -1
		}
		return 1
	})
	return k
}

// Fork returns a copy.
func (a *AddressSpace) Fork() (platform.AddressSpace, linux.Errno) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return &AddressSpace{regions: slices.Clone(a.regions)}, 0
}

// Release drops the mappings.
func (a *AddressSpace) Release() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.regions = nil
}

// A fault is why an access failed.
type fault struct {
	signal linux.Signal
	code   int32
	addr   uint64
	access platform.Access
}

// access reads or writes p at addr; the mappings stay as they are meanwhile.
func (a *AddressSpace) access(addr uint64, p []byte, kind platform.Access) *fault {
	a.mu.RLock()
	defer a.mu.RUnlock()
	need := map[platform.Access]linux.Prot{platform.Read: linux.PROT_READ, platform.Write: linux.PROT_WRITE, platform.Execute: linux.PROT_EXEC}[kind]
	for len(p) > 0 {
		if addr >= maxAddress+pageSize {
			return &fault{linux.SIGSEGV, segvKernel, 0, kind}
		}
		k := a.findLocked(addr)
		if k == len(a.regions) || a.regions[k].start > addr {
			return &fault{linux.SIGSEGV, segvMapErr, addr, kind}
		}
		r := &a.regions[k]
		if r.prot&need == 0 && !(kind == platform.Read && r.prot != 0) {
			return &fault{linux.SIGSEGV, segvAccErr, addr, kind}
		}
		n := min(uint64(len(p)), r.end-addr)
		if kind != platform.Execute && !move(r.file.FD, p[:n], r.offset+addr-r.start, kind) {
			return &fault{linux.SIGBUS, busAdrErr, addr, kind}
		}
		p = p[n:]
		addr += n
	}
	return nil
}

// Codes of signals for faults.
const (
	segvMapErr = 1
	segvAccErr = 2
	segvKernel = 0x80
	busAdrErr  = 2
)

// move copies between p and a file; false is an access beyond the page of the
// file's end.
func move(fd int32, p []byte, offset uint64, kind platform.Access) bool {
	var st unix.Stat_t
	if unix.Fstat(int(fd), &st) != nil {
		return false
	}
	limit := (uint64(st.Size) + pageSize - 1) &^ (pageSize - 1)
	if offset+uint64(len(p)) > limit {
		return false
	}
	if kind == platform.Read {
		clear(p)
		_, err := unix.Pread(int(fd), p, int64(offset))
		return err == nil
	}
	// What is written behind the end, in its last page, is lost, as memory
	// there is not the file's.
	if n := uint64(st.Size) - min(offset, uint64(st.Size)); n < uint64(len(p)) {
		p = p[:n]
	}
	n, err := unix.Pwrite(int(fd), p, int64(offset))
	return err == nil && n == len(p)
}
