package linux

// BPFCmd is a command of bpf(2).
type BPFCmd int32

const (
	BPF_MAP_CREATE         BPFCmd = 0
	BPF_PROG_LOAD          BPFCmd = 5
	BPF_OBJ_PIN            BPFCmd = 6
	BPF_OBJ_GET            BPFCmd = 7
	BPF_PROG_ATTACH        BPFCmd = 8
	BPF_PROG_DETACH        BPFCmd = 9
	BPF_PROG_GET_NEXT_ID   BPFCmd = 11
	BPF_PROG_GET_FD_BY_ID  BPFCmd = 13
	BPF_OBJ_GET_INFO_BY_FD BPFCmd = 15
	BPF_PROG_QUERY         BPFCmd = 16
	BPF_BTF_LOAD           BPFCmd = 18
	BPF_LINK_CREATE        BPFCmd = 28
)

var bpfCmdNames = [...]enumName{
	{int64(BPF_MAP_CREATE), "BPF_MAP_CREATE"},
	{int64(BPF_PROG_LOAD), "BPF_PROG_LOAD"},
	{int64(BPF_OBJ_PIN), "BPF_OBJ_PIN"},
	{int64(BPF_OBJ_GET), "BPF_OBJ_GET"},
	{int64(BPF_PROG_ATTACH), "BPF_PROG_ATTACH"},
	{int64(BPF_PROG_DETACH), "BPF_PROG_DETACH"},
	{int64(BPF_PROG_GET_NEXT_ID), "BPF_PROG_GET_NEXT_ID"},
	{int64(BPF_PROG_GET_FD_BY_ID), "BPF_PROG_GET_FD_BY_ID"},
	{int64(BPF_OBJ_GET_INFO_BY_FD), "BPF_OBJ_GET_INFO_BY_FD"},
	{int64(BPF_PROG_QUERY), "BPF_PROG_QUERY"},
	{int64(BPF_BTF_LOAD), "BPF_BTF_LOAD"},
	{int64(BPF_LINK_CREATE), "BPF_LINK_CREATE"},
}

func (c BPFCmd) String() string { return formatEnum(int64(c), bpfCmdNames[:]) }

// BPFProgType is a type of eBPF programs.
type BPFProgType uint32

const (
	BPF_PROG_TYPE_CGROUP_SKB    BPFProgType = 8  // which packets a control group sends and receives
	BPF_PROG_TYPE_CGROUP_DEVICE BPFProgType = 15 // who in a control group may use which device
)

// BPFAttachType is what a program is attached for.
type BPFAttachType uint32

const (
	BPF_CGROUP_INET_INGRESS BPFAttachType = 0
	BPF_CGROUP_INET_EGRESS  BPFAttachType = 1
	BPF_CGROUP_DEVICE       BPFAttachType = 6
)

// BPFAttachFlags are the flags of BPF_PROG_ATTACH.
type BPFAttachFlags uint32

const (
	BPF_F_ALLOW_OVERRIDE BPFAttachFlags = 0x1
	BPF_F_ALLOW_MULTI    BPFAttachFlags = 0x2
	BPF_F_REPLACE        BPFAttachFlags = 0x4
)

// BPF_F_QUERY_EFFECTIVE asks BPF_PROG_QUERY for the programs of the groups above too.
const BPF_F_QUERY_EFFECTIVE = 0x1

// Flags of BPF_PROG_LOAD that concern what no program here does.
const (
	BPF_F_STRICT_ALIGNMENT = 0x1
	BPF_F_ANY_ALIGNMENT    = 0x2
	BPF_F_TEST_STATE_FREQ  = 0x8
)

// Sizes of eBPF's interface.
const (
	BPF_OBJ_NAME_LEN = 16
	BPF_TAG_SIZE     = 8
)

// What a program of BPF_PROG_TYPE_CGROUP_DEVICE is asked about: the kind of device, and above it the accesses.
const (
	BPF_DEVCG_DEV_BLOCK = 1
	BPF_DEVCG_DEV_CHAR  = 2
	BPF_DEVCG_ACC_MKNOD = 1
	BPF_DEVCG_ACC_READ  = 2
	BPF_DEVCG_ACC_WRITE = 4
)

// BPFInsn is struct bpf_insn: an eBPF instruction.
type BPFInsn struct {
	Code uint8
	Regs uint8 // destination, and above it the source
	Off  int16
	Imm  int32
}

// BPFAttr is union bpf_attr, as large as in Linux 6.12.
type BPFAttr [160]byte

// BPFProgLoad is union bpf_attr of BPF_PROG_LOAD, up to the type that it is to be attached as.
type BPFProgLoad struct {
	Type           BPFProgType
	Count          uint32
	Insns          uint64
	License        uint64
	LogLevel       uint32
	LogSize        uint32
	Log            uint64
	KernelVersion  uint32
	Flags          uint32
	Name           [BPF_OBJ_NAME_LEN]byte
	Ifindex        uint32
	ExpectedAttach BPFAttachType
}

// BPFProgAttach is union bpf_attr of BPF_PROG_ATTACH and BPF_PROG_DETACH.
type BPFProgAttach struct {
	Target  FD
	Prog    FD
	Type    BPFAttachType
	Flags   BPFAttachFlags
	Replace FD
}

// BPFQuery is union bpf_attr of BPF_PROG_QUERY, up to what newer kinds of attachment have.
type BPFQuery struct {
	Target      FD
	Type        BPFAttachType
	Flags       uint32
	AttachFlags BPFAttachFlags
	IDs         uint64
	Count       uint32
	_           uint32
}

// BPFGetID is union bpf_attr of BPF_PROG_GET_FD_BY_ID and BPF_PROG_GET_NEXT_ID.
type BPFGetID struct {
	ID   uint32 // the one to open, or the one before the next
	Next uint32
}

// BPFInfoByFD is union bpf_attr of BPF_OBJ_GET_INFO_BY_FD.
type BPFInfoByFD struct {
	FD   FD
	Size uint32
	Info uint64
}

// BPFProgInfo is struct bpf_prog_info.
type BPFProgInfo struct {
	Type          BPFProgType
	ID            uint32
	Tag           [BPF_TAG_SIZE]byte
	JitedLen      uint32
	XlatedLen     uint32
	JitedInsns    uint64
	XlatedInsns   uint64
	LoadTime      uint64 // nanoseconds since boot
	CreatedByUID  uint32
	MapCount      uint32
	MapIDs        uint64
	Name          [BPF_OBJ_NAME_LEN]byte
	Ifindex       uint32
	GPL           uint32
	NetNSDev      uint64
	NetNSIno      uint64
	Symbols       [2]uint32
	SymbolsAt     [2]uint64
	BTF           [2]uint32
	FuncInfo      uint64
	InfoCounts    [2]uint32
	LineInfo      [2]uint64
	LineCounts    [4]uint32
	Tags          uint64
	RunTime       uint64
	RunCount      uint64
	Misses        uint64
	VerifiedInsns uint32
	AttachBTFObj  uint32
	AttachBTF     uint32
	_             uint32
}
