package linux

// LandlockAccessFS are the rights of landlock(7) that a ruleset handles, those of its
// ABI version 1.
type LandlockAccessFS uint64

const (
	LANDLOCK_ACCESS_FS_EXECUTE     LandlockAccessFS = 0x1
	LANDLOCK_ACCESS_FS_WRITE_FILE  LandlockAccessFS = 0x2
	LANDLOCK_ACCESS_FS_READ_FILE   LandlockAccessFS = 0x4
	LANDLOCK_ACCESS_FS_READ_DIR    LandlockAccessFS = 0x8
	LANDLOCK_ACCESS_FS_REMOVE_DIR  LandlockAccessFS = 0x10
	LANDLOCK_ACCESS_FS_REMOVE_FILE LandlockAccessFS = 0x20
	LANDLOCK_ACCESS_FS_MAKE_CHAR   LandlockAccessFS = 0x40
	LANDLOCK_ACCESS_FS_MAKE_DIR    LandlockAccessFS = 0x80
	LANDLOCK_ACCESS_FS_MAKE_REG    LandlockAccessFS = 0x100
	LANDLOCK_ACCESS_FS_MAKE_SOCK   LandlockAccessFS = 0x200
	LANDLOCK_ACCESS_FS_MAKE_FIFO   LandlockAccessFS = 0x400
	LANDLOCK_ACCESS_FS_MAKE_BLOCK  LandlockAccessFS = 0x800
	LANDLOCK_ACCESS_FS_MAKE_SYM    LandlockAccessFS = 0x1000
)

// LANDLOCK_ACCESS_FS are all of them.
const LANDLOCK_ACCESS_FS = LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1

// LandlockRulesetFlags are the flags of landlock_create_ruleset(2).
type LandlockRulesetFlags uint32

// LANDLOCK_CREATE_RULESET_VERSION asks for the version of the ABI.
const LANDLOCK_CREATE_RULESET_VERSION LandlockRulesetFlags = 1

// LandlockRuleType is a kind of rule of landlock_add_rule(2).
type LandlockRuleType int32

// LANDLOCK_RULE_PATH_BENEATH: struct landlock_path_beneath_attr.
const LANDLOCK_RULE_PATH_BENEATH LandlockRuleType = 1

// LandlockRulesetAttr is struct landlock_ruleset_attr of version 1.
type LandlockRulesetAttr struct {
	HandledAccessFS LandlockAccessFS
}
