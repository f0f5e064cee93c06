package arch

// The layout of a program's address space (Linux: arch/x86/include/asm/page_64_types.h,
// arch/x86/mm/mmap.c).
const (
	// TaskSize is where user addresses end: the last page is unused because of
	// what SYSRET does with a return address that is not canonical.
	TaskSize = 1<<47 - 4096

	// MinProgramAddress is the lowest address a program may ask for.
	MinProgramAddress = 0x10000

	// MmapRandomBits, StackRandomPages and BrkRandomSize are the entropy of
	// the mmap base, the stack's top and the first break.
	MmapRandomBits   = 28
	StackRandomPages = 0x3fffff
	BrkRandomSize    = 0x02000000

	// The gap below the stack is its limit, within bounds.
	MinMmapGap   = 128 << 20
	MaxMmapGap   = TaskSize / 6 * 5
	StackGuard   = 256 * 4096
	MaxStackRand = (StackRandomPages + 1) * 4096

	// DynBase is where a position independent program is loaded, before
	// randomisation.
	DynBase = TaskSize / 3 * 2 &^ 4095
)

// initialFlags are the bits of RFLAGS that are always set for a program: the
// reserved bit 1 and interrupts.
const initialFlags = 0x202

// InitialRegisters are the registers that a program starts with.
func InitialRegisters(entry, stack uint64) Registers {
	return Registers{RIP: entry, RSP: stack, CS: userCS, SS: userDS, RFlags: initialFlags, OrigRAX: ^uint64(0)}
}

// ValidTLS says whether a segment base may be set (Linux: EPERM otherwise).
func ValidTLS(base uint64) bool { return base < TaskSize }

// Platform is AT_PLATFORM.
const Platform = "x86_64"

// HWCap is AT_HWCAP: CPUID's word of basic features.
func HWCap() uint64 {
	_, _, _, d := cpuid(1, 0)
	return uint64(d)
}

// HWCap2 is AT_HWCAP2: FSGSBASE may be used by programs. Segment bases are read
// back at every stop, so a program that writes them itself loses nothing.
func HWCap2() uint64 {
	const fsgsbase = 1 << 1
	if _, b, _, _ := cpuid(7, 0); b&1 != 0 {
		return fsgsbase
	}
	return 0
}

// syscallLength is the length of the syscall instruction.
const syscallLength = 2

// Rewind makes the registers of a thread that has made system call number make
// it again.
func (r *Registers) Rewind(number uint64) {
	r.RAX = number
	r.RIP -= syscallLength
}
