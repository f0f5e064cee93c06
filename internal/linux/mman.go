package linux

// Prot is the protection of a mapping.
type Prot uint32

const (
	PROT_NONE      Prot = 0x0
	PROT_READ      Prot = 0x1
	PROT_WRITE     Prot = 0x2
	PROT_EXEC      Prot = 0x4
	PROT_SEM       Prot = 0x8
	PROT_GROWSDOWN Prot = 0x1000000
	PROT_GROWSUP   Prot = 0x2000000
)

var protNames = [...]bitName{
	{uint64(PROT_NONE), "PROT_NONE"},
	{uint64(PROT_READ), "PROT_READ"},
	{uint64(PROT_WRITE), "PROT_WRITE"},
	{uint64(PROT_EXEC), "PROT_EXEC"},
	{uint64(PROT_SEM), "PROT_SEM"},
	{uint64(PROT_GROWSDOWN), "PROT_GROWSDOWN"},
	{uint64(PROT_GROWSUP), "PROT_GROWSUP"},
}

func (f Prot) String() string { return formatBits(uint64(f), protNames[:]) }

// MapFlags are the flags of mmap(2). MAP_SHARED_VALIDATE is MAP_SHARED and
// MAP_PRIVATE together: compare with MAP_TYPE.
type MapFlags uint32

const (
	MAP_SHARED          MapFlags = 0x1
	MAP_PRIVATE         MapFlags = 0x2
	MAP_SHARED_VALIDATE MapFlags = 0x3
	MAP_FIXED           MapFlags = 0x10
	MAP_ANONYMOUS       MapFlags = 0x20
	MAP_32BIT           MapFlags = 0x40
	MAP_GROWSDOWN       MapFlags = 0x100
	MAP_DENYWRITE       MapFlags = 0x800
	MAP_EXECUTABLE      MapFlags = 0x1000
	MAP_LOCKED          MapFlags = 0x2000
	MAP_NORESERVE       MapFlags = 0x4000
	MAP_POPULATE        MapFlags = 0x8000
	MAP_NONBLOCK        MapFlags = 0x10000
	MAP_STACK           MapFlags = 0x20000
	MAP_HUGETLB         MapFlags = 0x40000
	MAP_SYNC            MapFlags = 0x80000
	MAP_FIXED_NOREPLACE MapFlags = 0x100000
	MAP_UNINITIALIZED   MapFlags = 0x4000000
)

var mapFlagsNames = [...]bitName{
	{uint64(MAP_SHARED_VALIDATE), "MAP_SHARED_VALIDATE"},
	{uint64(MAP_SHARED), "MAP_SHARED"},
	{uint64(MAP_PRIVATE), "MAP_PRIVATE"},
	{uint64(MAP_FIXED), "MAP_FIXED"},
	{uint64(MAP_ANONYMOUS), "MAP_ANONYMOUS"},
	{uint64(MAP_32BIT), "MAP_32BIT"},
	{uint64(MAP_GROWSDOWN), "MAP_GROWSDOWN"},
	{uint64(MAP_DENYWRITE), "MAP_DENYWRITE"},
	{uint64(MAP_EXECUTABLE), "MAP_EXECUTABLE"},
	{uint64(MAP_LOCKED), "MAP_LOCKED"},
	{uint64(MAP_NORESERVE), "MAP_NORESERVE"},
	{uint64(MAP_POPULATE), "MAP_POPULATE"},
	{uint64(MAP_NONBLOCK), "MAP_NONBLOCK"},
	{uint64(MAP_STACK), "MAP_STACK"},
	{uint64(MAP_HUGETLB), "MAP_HUGETLB"},
	{uint64(MAP_SYNC), "MAP_SYNC"},
	{uint64(MAP_FIXED_NOREPLACE), "MAP_FIXED_NOREPLACE"},
	{uint64(MAP_UNINITIALIZED), "MAP_UNINITIALIZED"},
}

func (f MapFlags) String() string { return formatBits(uint64(f), mapFlagsNames[:]) }

// MAP_TYPE masks the sharing mode of MapFlags.
const MAP_TYPE MapFlags = 0xf

// Page size encodings of MAP_HUGETLB and MFD_HUGETLB.
const (
	MAP_HUGE_SHIFT = 26
	MAP_HUGE_MASK  = 0x3f
)

// Madvice is the advice of madvise(2).
type Madvice int32

const (
	MADV_NORMAL          Madvice = 0
	MADV_RANDOM          Madvice = 1
	MADV_SEQUENTIAL      Madvice = 2
	MADV_WILLNEED        Madvice = 3
	MADV_DONTNEED        Madvice = 4
	MADV_FREE            Madvice = 8
	MADV_REMOVE          Madvice = 9
	MADV_DONTFORK        Madvice = 10
	MADV_DOFORK          Madvice = 11
	MADV_MERGEABLE       Madvice = 12
	MADV_UNMERGEABLE     Madvice = 13
	MADV_HUGEPAGE        Madvice = 14
	MADV_NOHUGEPAGE      Madvice = 15
	MADV_DONTDUMP        Madvice = 16
	MADV_DODUMP          Madvice = 17
	MADV_WIPEONFORK      Madvice = 18
	MADV_KEEPONFORK      Madvice = 19
	MADV_COLD            Madvice = 20
	MADV_PAGEOUT         Madvice = 21
	MADV_POPULATE_READ   Madvice = 22
	MADV_POPULATE_WRITE  Madvice = 23
	MADV_DONTNEED_LOCKED Madvice = 24
	MADV_COLLAPSE        Madvice = 25
	MADV_HWPOISON        Madvice = 100
	MADV_SOFT_OFFLINE    Madvice = 101
)

var madviceNames = [...]enumName{
	{int64(MADV_NORMAL), "MADV_NORMAL"},
	{int64(MADV_RANDOM), "MADV_RANDOM"},
	{int64(MADV_SEQUENTIAL), "MADV_SEQUENTIAL"},
	{int64(MADV_WILLNEED), "MADV_WILLNEED"},
	{int64(MADV_DONTNEED), "MADV_DONTNEED"},
	{int64(MADV_FREE), "MADV_FREE"},
	{int64(MADV_REMOVE), "MADV_REMOVE"},
	{int64(MADV_DONTFORK), "MADV_DONTFORK"},
	{int64(MADV_DOFORK), "MADV_DOFORK"},
	{int64(MADV_MERGEABLE), "MADV_MERGEABLE"},
	{int64(MADV_UNMERGEABLE), "MADV_UNMERGEABLE"},
	{int64(MADV_HUGEPAGE), "MADV_HUGEPAGE"},
	{int64(MADV_NOHUGEPAGE), "MADV_NOHUGEPAGE"},
	{int64(MADV_DONTDUMP), "MADV_DONTDUMP"},
	{int64(MADV_DODUMP), "MADV_DODUMP"},
	{int64(MADV_WIPEONFORK), "MADV_WIPEONFORK"},
	{int64(MADV_KEEPONFORK), "MADV_KEEPONFORK"},
	{int64(MADV_COLD), "MADV_COLD"},
	{int64(MADV_PAGEOUT), "MADV_PAGEOUT"},
	{int64(MADV_POPULATE_READ), "MADV_POPULATE_READ"},
	{int64(MADV_POPULATE_WRITE), "MADV_POPULATE_WRITE"},
	{int64(MADV_DONTNEED_LOCKED), "MADV_DONTNEED_LOCKED"},
	{int64(MADV_COLLAPSE), "MADV_COLLAPSE"},
	{int64(MADV_HWPOISON), "MADV_HWPOISON"},
	{int64(MADV_SOFT_OFFLINE), "MADV_SOFT_OFFLINE"},
}

func (f Madvice) String() string { return formatEnum(int64(f), madviceNames[:]) }

// MremapFlags are the flags of mremap(2).
type MremapFlags uint32

const (
	MREMAP_MAYMOVE   MremapFlags = 0x1
	MREMAP_FIXED     MremapFlags = 0x2
	MREMAP_DONTUNMAP MremapFlags = 0x4
)

var mremapFlagsNames = [...]bitName{
	{uint64(MREMAP_MAYMOVE), "MREMAP_MAYMOVE"},
	{uint64(MREMAP_FIXED), "MREMAP_FIXED"},
	{uint64(MREMAP_DONTUNMAP), "MREMAP_DONTUNMAP"},
}

func (f MremapFlags) String() string { return formatBits(uint64(f), mremapFlagsNames[:]) }

// MsyncFlags are the flags of msync(2).
type MsyncFlags int32

const (
	MS_ASYNC      MsyncFlags = 0x1
	MS_INVALIDATE MsyncFlags = 0x2
	MS_SYNC       MsyncFlags = 0x4
)

var msyncFlagsNames = [...]bitName{
	{uint64(MS_ASYNC), "MS_ASYNC"},
	{uint64(MS_INVALIDATE), "MS_INVALIDATE"},
	{uint64(MS_SYNC), "MS_SYNC"},
}

func (f MsyncFlags) String() string { return formatBits(uint64(uint32(f)), msyncFlagsNames[:]) }

// MlockFlags are the flags of mlockall(2).
type MlockFlags uint32

const (
	MCL_CURRENT MlockFlags = 0x1
	MCL_FUTURE  MlockFlags = 0x2
	MCL_ONFAULT MlockFlags = 0x4
)

var mlockFlagsNames = [...]bitName{
	{uint64(MCL_CURRENT), "MCL_CURRENT"},
	{uint64(MCL_FUTURE), "MCL_FUTURE"},
	{uint64(MCL_ONFAULT), "MCL_ONFAULT"},
}

func (f MlockFlags) String() string { return formatBits(uint64(f), mlockFlagsNames[:]) }

// Mlock2Flags are the flags of mlock2(2).
type Mlock2Flags uint32

const (
	MLOCK_ONFAULT Mlock2Flags = 0x1
)

var mlock2FlagsNames = [...]bitName{
	{uint64(MLOCK_ONFAULT), "MLOCK_ONFAULT"},
}

func (f Mlock2Flags) String() string { return formatBits(uint64(f), mlock2FlagsNames[:]) }

// MemfdFlags are the flags of memfd_create(2).
type MemfdFlags uint32

const (
	MFD_CLOEXEC       MemfdFlags = 0x1
	MFD_ALLOW_SEALING MemfdFlags = 0x2
	MFD_HUGETLB       MemfdFlags = 0x4
	MFD_NOEXEC_SEAL   MemfdFlags = 0x8
	MFD_EXEC          MemfdFlags = 0x10
)

var memfdFlagsNames = [...]bitName{
	{uint64(MFD_CLOEXEC), "MFD_CLOEXEC"},
	{uint64(MFD_ALLOW_SEALING), "MFD_ALLOW_SEALING"},
	{uint64(MFD_HUGETLB), "MFD_HUGETLB"},
	{uint64(MFD_NOEXEC_SEAL), "MFD_NOEXEC_SEAL"},
	{uint64(MFD_EXEC), "MFD_EXEC"},
}

func (f MemfdFlags) String() string { return formatBits(uint64(f), memfdFlagsNames[:]) }

// Fadvice is the advice of posix_fadvise(2).
type Fadvice int32

const (
	FADV_NORMAL     Fadvice = 0
	FADV_RANDOM     Fadvice = 1
	FADV_SEQUENTIAL Fadvice = 2
	FADV_WILLNEED   Fadvice = 3
	FADV_DONTNEED   Fadvice = 4
	FADV_NOREUSE    Fadvice = 5
)

var fadviceNames = [...]enumName{
	{int64(FADV_NORMAL), "FADV_NORMAL"},
	{int64(FADV_RANDOM), "FADV_RANDOM"},
	{int64(FADV_SEQUENTIAL), "FADV_SEQUENTIAL"},
	{int64(FADV_WILLNEED), "FADV_WILLNEED"},
	{int64(FADV_DONTNEED), "FADV_DONTNEED"},
	{int64(FADV_NOREUSE), "FADV_NOREUSE"},
}

func (f Fadvice) String() string { return formatEnum(int64(f), fadviceNames[:]) }

// Page sizes of both architectures, and the end of user addresses with four
// levels of page tables on amd64.
const (
	PageShift = 12
	PageSize  = 1 << PageShift
	PageMask  = PageSize - 1

	HugePageShift = 21
	HugePageSize  = 1 << HugePageShift

	TASK_SIZE = 1<<47 - PageSize
)

// Iovec is struct iovec.
type Iovec struct {
	Base uint64
	Len  uint64
}
