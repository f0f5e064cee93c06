package linux

// ElfEhdr is Elf64_Ehdr, 64 bytes.
type ElfEhdr struct {
	Ident     [16]byte
	Type      uint16
	Machine   uint16
	Version   uint32
	Entry     uint64
	Phoff     uint64
	Shoff     uint64
	Flags     uint32
	Ehsize    uint16
	Phentsize uint16
	Phnum     uint16
	Shentsize uint16
	Shnum     uint16
	Shstrndx  uint16
}

// ElfPhdr is Elf64_Phdr, 56 bytes.
type ElfPhdr struct {
	Type   ElfSegmentType
	Flags  uint32
	Off    uint64
	Vaddr  uint64
	Paddr  uint64
	Filesz uint64
	Memsz  uint64
	Align  uint64
}

// ElfShdr is Elf64_Shdr, 64 bytes.
type ElfShdr struct {
	Name      uint32
	Type      uint32
	Flags     uint64
	Addr      uint64
	Off       uint64
	Size      uint64
	Link      uint32
	Info      uint32
	Addralign uint64
	Entsize   uint64
}

// ElfSym is Elf64_Sym, 24 bytes.
type ElfSym struct {
	Name  uint32
	Info  uint8
	Other uint8
	Shndx uint16
	Value uint64
	Size  uint64
}

// ElfNhdr is Elf64_Nhdr, before a note's name and data.
type ElfNhdr struct {
	Namesz uint32
	Descsz uint32
	Type   uint32
}

// ELFMAG begins every ELF file.
const ELFMAG = "\x7fELF"

// Values of the identification and of the header.
const (
	EI_CLASS    = 4
	EI_DATA     = 5
	EI_VERSION  = 6
	EI_OSABI    = 7
	ELFCLASS32  = 1
	ELFCLASS64  = 2
	ELFDATA2LSB = 1
	EV_CURRENT  = 1
	ET_NONE     = 0
	ET_REL      = 1
	ET_EXEC     = 2
	ET_DYN      = 3
	ET_CORE     = 4
	EM_386      = 3
	EM_X86_64   = 62
	EM_AARCH64  = 183
)

// ElfSegmentType is p_type.
type ElfSegmentType uint32

const (
	PT_NULL         ElfSegmentType = 0
	PT_LOAD         ElfSegmentType = 1
	PT_DYNAMIC      ElfSegmentType = 2
	PT_INTERP       ElfSegmentType = 3
	PT_NOTE         ElfSegmentType = 4
	PT_SHLIB        ElfSegmentType = 5
	PT_PHDR         ElfSegmentType = 6
	PT_TLS          ElfSegmentType = 7
	PT_GNU_EH_FRAME ElfSegmentType = 0x6474e550
	PT_GNU_STACK    ElfSegmentType = 0x6474e551
	PT_GNU_RELRO    ElfSegmentType = 0x6474e552
	PT_GNU_PROPERTY ElfSegmentType = 0x6474e553
)

var elfSegmentTypeNames = [...]enumName{
	{int64(PT_NULL), "PT_NULL"},
	{int64(PT_LOAD), "PT_LOAD"},
	{int64(PT_DYNAMIC), "PT_DYNAMIC"},
	{int64(PT_INTERP), "PT_INTERP"},
	{int64(PT_NOTE), "PT_NOTE"},
	{int64(PT_SHLIB), "PT_SHLIB"},
	{int64(PT_PHDR), "PT_PHDR"},
	{int64(PT_TLS), "PT_TLS"},
	{int64(PT_GNU_EH_FRAME), "PT_GNU_EH_FRAME"},
	{int64(PT_GNU_STACK), "PT_GNU_STACK"},
	{int64(PT_GNU_RELRO), "PT_GNU_RELRO"},
	{int64(PT_GNU_PROPERTY), "PT_GNU_PROPERTY"},
}

func (f ElfSegmentType) String() string { return formatEnum(int64(f), elfSegmentTypeNames[:]) }

// Segment permissions, section types and flags.
const (
	PF_X = 1
	PF_W = 2
	PF_R = 4

	SHT_NULL      = 0
	SHT_PROGBITS  = 1
	SHT_SYMTAB    = 2
	SHT_STRTAB    = 3
	SHT_NOTE      = 7
	SHT_NOBITS    = 8
	SHT_DYNSYM    = 11
	SHF_WRITE     = 1
	SHF_ALLOC     = 2
	SHF_EXECINSTR = 4
)

// Notes of core files and of ptrace's register sets.
const (
	NT_PRSTATUS   = 1
	NT_PRFPREG    = 2
	NT_PRPSINFO   = 3
	NT_TASKSTRUCT = 4
	NT_AUXV       = 6
	NT_X86_XSTATE = 0x202
	NT_SIGINFO    = 0x53494749
	NT_FILE       = 0x46494c45
	NT_ARM_TLS    = 0x401
)

// AuxType is the type of an entry of the auxiliary vector. The names are those of
// uapi/linux/auxvec.h with AUX_ for AT_, which means other things elsewhere.
type AuxType uint64

const (
	AUX_NULL              AuxType = 0
	AUX_IGNORE            AuxType = 1
	AUX_EXECFD            AuxType = 2
	AUX_PHDR              AuxType = 3
	AUX_PHENT             AuxType = 4
	AUX_PHNUM             AuxType = 5
	AUX_PAGESZ            AuxType = 6
	AUX_BASE              AuxType = 7
	AUX_FLAGS             AuxType = 8
	AUX_ENTRY             AuxType = 9
	AUX_NOTELF            AuxType = 10
	AUX_UID               AuxType = 11
	AUX_EUID              AuxType = 12
	AUX_GID               AuxType = 13
	AUX_EGID              AuxType = 14
	AUX_PLATFORM          AuxType = 15
	AUX_HWCAP             AuxType = 16
	AUX_CLKTCK            AuxType = 17
	AUX_SECURE            AuxType = 23
	AUX_BASE_PLATFORM     AuxType = 24
	AUX_RANDOM            AuxType = 25
	AUX_HWCAP2            AuxType = 26
	AUX_RSEQ_FEATURE_SIZE AuxType = 27
	AUX_RSEQ_ALIGN        AuxType = 28
	AUX_EXECFN            AuxType = 31
	AUX_SYSINFO_EHDR      AuxType = 33
	AUX_MINSIGSTKSZ       AuxType = 51
)

var auxTypeNames = [...]enumName{
	{int64(AUX_NULL), "AUX_NULL"},
	{int64(AUX_IGNORE), "AUX_IGNORE"},
	{int64(AUX_EXECFD), "AUX_EXECFD"},
	{int64(AUX_PHDR), "AUX_PHDR"},
	{int64(AUX_PHENT), "AUX_PHENT"},
	{int64(AUX_PHNUM), "AUX_PHNUM"},
	{int64(AUX_PAGESZ), "AUX_PAGESZ"},
	{int64(AUX_BASE), "AUX_BASE"},
	{int64(AUX_FLAGS), "AUX_FLAGS"},
	{int64(AUX_ENTRY), "AUX_ENTRY"},
	{int64(AUX_NOTELF), "AUX_NOTELF"},
	{int64(AUX_UID), "AUX_UID"},
	{int64(AUX_EUID), "AUX_EUID"},
	{int64(AUX_GID), "AUX_GID"},
	{int64(AUX_EGID), "AUX_EGID"},
	{int64(AUX_PLATFORM), "AUX_PLATFORM"},
	{int64(AUX_HWCAP), "AUX_HWCAP"},
	{int64(AUX_CLKTCK), "AUX_CLKTCK"},
	{int64(AUX_SECURE), "AUX_SECURE"},
	{int64(AUX_BASE_PLATFORM), "AUX_BASE_PLATFORM"},
	{int64(AUX_RANDOM), "AUX_RANDOM"},
	{int64(AUX_HWCAP2), "AUX_HWCAP2"},
	{int64(AUX_RSEQ_FEATURE_SIZE), "AUX_RSEQ_FEATURE_SIZE"},
	{int64(AUX_RSEQ_ALIGN), "AUX_RSEQ_ALIGN"},
	{int64(AUX_EXECFN), "AUX_EXECFN"},
	{int64(AUX_SYSINFO_EHDR), "AUX_SYSINFO_EHDR"},
	{int64(AUX_MINSIGSTKSZ), "AUX_MINSIGSTKSZ"},
}

func (f AuxType) String() string { return formatEnum(int64(f), auxTypeNames[:]) }

// AuxEntry is one entry of the auxiliary vector.
type AuxEntry struct {
	Type  AuxType
	Value uint64
}

// Limits of execve(2).
const (
	// MAX_ARG_STRLEN is the longest argument or environment string.
	MAX_ARG_STRLEN = 32 * PageSize
	// BINPRM_BUF_SIZE is how much of a file decides what runs it.
	BINPRM_BUF_SIZE = 256
	// ARG_MAX_FLOOR is the room for arguments that RLIMIT_STACK cannot take away.
	ARG_MAX_FLOOR = 32 * PageSize
)
