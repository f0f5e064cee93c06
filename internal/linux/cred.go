package linux

// Capability is one capability of capabilities(7).
type Capability int32

const (
	CAP_CHOWN              Capability = 0
	CAP_DAC_OVERRIDE       Capability = 1
	CAP_DAC_READ_SEARCH    Capability = 2
	CAP_FOWNER             Capability = 3
	CAP_FSETID             Capability = 4
	CAP_KILL               Capability = 5
	CAP_SETGID             Capability = 6
	CAP_SETUID             Capability = 7
	CAP_SETPCAP            Capability = 8
	CAP_LINUX_IMMUTABLE    Capability = 9
	CAP_NET_BIND_SERVICE   Capability = 10
	CAP_NET_BROADCAST      Capability = 11
	CAP_NET_ADMIN          Capability = 12
	CAP_NET_RAW            Capability = 13
	CAP_IPC_LOCK           Capability = 14
	CAP_IPC_OWNER          Capability = 15
	CAP_SYS_MODULE         Capability = 16
	CAP_SYS_RAWIO          Capability = 17
	CAP_SYS_CHROOT         Capability = 18
	CAP_SYS_PTRACE         Capability = 19
	CAP_SYS_PACCT          Capability = 20
	CAP_SYS_ADMIN          Capability = 21
	CAP_SYS_BOOT           Capability = 22
	CAP_SYS_NICE           Capability = 23
	CAP_SYS_RESOURCE       Capability = 24
	CAP_SYS_TIME           Capability = 25
	CAP_SYS_TTY_CONFIG     Capability = 26
	CAP_MKNOD              Capability = 27
	CAP_LEASE              Capability = 28
	CAP_AUDIT_WRITE        Capability = 29
	CAP_AUDIT_CONTROL      Capability = 30
	CAP_SETFCAP            Capability = 31
	CAP_MAC_OVERRIDE       Capability = 32
	CAP_MAC_ADMIN          Capability = 33
	CAP_SYSLOG             Capability = 34
	CAP_WAKE_ALARM         Capability = 35
	CAP_BLOCK_SUSPEND      Capability = 36
	CAP_AUDIT_READ         Capability = 37
	CAP_PERFMON            Capability = 38
	CAP_BPF                Capability = 39
	CAP_CHECKPOINT_RESTORE Capability = 40
)

var capabilityNames = [...]enumName{
	{int64(CAP_CHOWN), "CAP_CHOWN"},
	{int64(CAP_DAC_OVERRIDE), "CAP_DAC_OVERRIDE"},
	{int64(CAP_DAC_READ_SEARCH), "CAP_DAC_READ_SEARCH"},
	{int64(CAP_FOWNER), "CAP_FOWNER"},
	{int64(CAP_FSETID), "CAP_FSETID"},
	{int64(CAP_KILL), "CAP_KILL"},
	{int64(CAP_SETGID), "CAP_SETGID"},
	{int64(CAP_SETUID), "CAP_SETUID"},
	{int64(CAP_SETPCAP), "CAP_SETPCAP"},
	{int64(CAP_LINUX_IMMUTABLE), "CAP_LINUX_IMMUTABLE"},
	{int64(CAP_NET_BIND_SERVICE), "CAP_NET_BIND_SERVICE"},
	{int64(CAP_NET_BROADCAST), "CAP_NET_BROADCAST"},
	{int64(CAP_NET_ADMIN), "CAP_NET_ADMIN"},
	{int64(CAP_NET_RAW), "CAP_NET_RAW"},
	{int64(CAP_IPC_LOCK), "CAP_IPC_LOCK"},
	{int64(CAP_IPC_OWNER), "CAP_IPC_OWNER"},
	{int64(CAP_SYS_MODULE), "CAP_SYS_MODULE"},
	{int64(CAP_SYS_RAWIO), "CAP_SYS_RAWIO"},
	{int64(CAP_SYS_CHROOT), "CAP_SYS_CHROOT"},
	{int64(CAP_SYS_PTRACE), "CAP_SYS_PTRACE"},
	{int64(CAP_SYS_PACCT), "CAP_SYS_PACCT"},
	{int64(CAP_SYS_ADMIN), "CAP_SYS_ADMIN"},
	{int64(CAP_SYS_BOOT), "CAP_SYS_BOOT"},
	{int64(CAP_SYS_NICE), "CAP_SYS_NICE"},
	{int64(CAP_SYS_RESOURCE), "CAP_SYS_RESOURCE"},
	{int64(CAP_SYS_TIME), "CAP_SYS_TIME"},
	{int64(CAP_SYS_TTY_CONFIG), "CAP_SYS_TTY_CONFIG"},
	{int64(CAP_MKNOD), "CAP_MKNOD"},
	{int64(CAP_LEASE), "CAP_LEASE"},
	{int64(CAP_AUDIT_WRITE), "CAP_AUDIT_WRITE"},
	{int64(CAP_AUDIT_CONTROL), "CAP_AUDIT_CONTROL"},
	{int64(CAP_SETFCAP), "CAP_SETFCAP"},
	{int64(CAP_MAC_OVERRIDE), "CAP_MAC_OVERRIDE"},
	{int64(CAP_MAC_ADMIN), "CAP_MAC_ADMIN"},
	{int64(CAP_SYSLOG), "CAP_SYSLOG"},
	{int64(CAP_WAKE_ALARM), "CAP_WAKE_ALARM"},
	{int64(CAP_BLOCK_SUSPEND), "CAP_BLOCK_SUSPEND"},
	{int64(CAP_AUDIT_READ), "CAP_AUDIT_READ"},
	{int64(CAP_PERFMON), "CAP_PERFMON"},
	{int64(CAP_BPF), "CAP_BPF"},
	{int64(CAP_CHECKPOINT_RESTORE), "CAP_CHECKPOINT_RESTORE"},
}

func (f Capability) String() string { return formatEnum(int64(f), capabilityNames[:]) }

// CAP_LAST_CAP is the highest capability.
const CAP_LAST_CAP = CAP_CHECKPOINT_RESTORE

// CapSet is a set of capabilities, bit n for capability n.
type CapSet uint64

// AllCaps is the full set.
const AllCaps CapSet = 1<<(CAP_LAST_CAP+1) - 1

// CapSetOf makes the set of some capabilities.
func CapSetOf(caps ...Capability) CapSet {
	var s CapSet
	for _, c := range caps {
		s |= 1 << uint(c)
	}
	return s
}

// Has reports whether c is in s.
func (s CapSet) Has(c Capability) bool { return s>>uint(c)&1 != 0 }

// Versions of struct __user_cap_header_struct. Version 1 has one data element,
// the others two.
const (
	LINUX_CAPABILITY_VERSION_1 = 0x19980330
	LINUX_CAPABILITY_VERSION_2 = 0x20071026
	LINUX_CAPABILITY_VERSION_3 = 0x20080522
)

// CapUserHeader is struct __user_cap_header_struct.
type CapUserHeader struct {
	Version uint32
	PID     int32
}

// CapUserData is struct __user_cap_data_struct.
type CapUserData struct {
	Effective   uint32
	Permitted   uint32
	Inheritable uint32
}

// The security.capability attribute of a file.
const (
	XATTR_NAME_CAPS         = "security.capability"
	VFS_CAP_REVISION_MASK   = 0xff000000
	VFS_CAP_REVISION_1      = 0x01000000
	VFS_CAP_REVISION_2      = 0x02000000
	VFS_CAP_REVISION_3      = 0x03000000
	VFS_CAP_FLAGS_EFFECTIVE = 0x000001
	XATTR_CAPS_SZ_2         = 20
	XATTR_CAPS_SZ_3         = 24
)

// VfsNsCapData is struct vfs_ns_cap_data, 24 bytes; revision 2 lacks RootID.
type VfsNsCapData struct {
	MagicEtc uint32
	Data     [2]struct{ Permitted, Inheritable uint32 }
	RootID   uint32
}

// User and group numbers.
const (
	OVERFLOW_UID = 65534
	OVERFLOW_GID = 65534
	// INVALID_ID is (uid_t)-1, which means "leave as it is".
	INVALID_ID  = ^uint32(0)
	NGROUPS_MAX = 65536
)

// SecureBits change how user IDs and capabilities affect each other.
type SecureBits uint32

const (
	SECBIT_NOROOT                      SecureBits = 0x1
	SECBIT_NOROOT_LOCKED               SecureBits = 0x2
	SECBIT_NO_SETUID_FIXUP             SecureBits = 0x4
	SECBIT_NO_SETUID_FIXUP_LOCKED      SecureBits = 0x8
	SECBIT_KEEP_CAPS                   SecureBits = 0x10
	SECBIT_KEEP_CAPS_LOCKED            SecureBits = 0x20
	SECBIT_NO_CAP_AMBIENT_RAISE        SecureBits = 0x40
	SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED SecureBits = 0x80
)

var secureBitsNames = [...]bitName{
	{uint64(SECBIT_NOROOT), "SECBIT_NOROOT"},
	{uint64(SECBIT_NOROOT_LOCKED), "SECBIT_NOROOT_LOCKED"},
	{uint64(SECBIT_NO_SETUID_FIXUP), "SECBIT_NO_SETUID_FIXUP"},
	{uint64(SECBIT_NO_SETUID_FIXUP_LOCKED), "SECBIT_NO_SETUID_FIXUP_LOCKED"},
	{uint64(SECBIT_KEEP_CAPS), "SECBIT_KEEP_CAPS"},
	{uint64(SECBIT_KEEP_CAPS_LOCKED), "SECBIT_KEEP_CAPS_LOCKED"},
	{uint64(SECBIT_NO_CAP_AMBIENT_RAISE), "SECBIT_NO_CAP_AMBIENT_RAISE"},
	{uint64(SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED), "SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED"},
}

func (f SecureBits) String() string { return formatBits(uint64(f), secureBitsNames[:]) }

// Masks of SecureBits: all, and the locks.
const (
	SECURE_ALL_BITS  SecureBits = 0x55
	SECURE_ALL_LOCKS SecureBits = 0xaa
)
