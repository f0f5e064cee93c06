package systrap

// The address space of a stub above what guests may use, as stub_amd64.s has it.
const (
	pageSize = 4096

	stubAddress = 0x7fffffff8000
	confAddress = 0x7fffffff9000
	opsAddress  = 0x7fffffffb000
	dataAddress = 0x7fffffffc000
	wordAddress = 0x7fffffffd000
	bootAddress = 0x10000000

	codeSize   = pageSize
	secretPage = 2 // of the image

	// Slots lie at slotAddress, one per guest thread of the address space.
	slotAddress = 0x7ffff0000000
	slotSize    = 0x8000
	maxSlots    = (stubAddress - slotAddress) / slotSize
)

// Guest mappings lie in [minAddress, maxAddress). The host refuses lower ones
// (vm.mmap_min_addr), slots and stub pages lie above.
const (
	minAddress = 0x10000
	maxAddress = slotAddress
)

// Parts of a slot: facts for the guest to read, the header, room for XSAVE, the
// signal stack. The kernel's frames lie at the stack's end; the one that the
// Sentry makes lies in its middle, with room below it for a kick that comes while
// it is being loaded.
const (
	slotHeader = 0x1000
	slotXSave  = 0x2000
	slotStack  = 0x4000
	slotNested = 0x5000 // no frame of the kernel's lies lower
	slotFrame  = 0x6800
	stackSize  = slotSize - slotStack
)

// Offsets in the configuration page.
const (
	confSocket   = 0x00 // u64: the command socket
	confControl  = 0x08 // u32: the stubs' descriptor of the control file
	confCapHdr   = 0x18 // struct __user_cap_header_struct
	confCaps     = 0x20 // two struct __user_cap_data_struct: none
	confMask     = 0x58 // u64: all signals
	confName     = 0x68 // 16 bytes
	confFeatures = 0x80 // u64: the extended state of guests
	confActions  = 0x100
)

// Offsets in the secret page.
const (
	secretWords  = 0x00
	secretProg   = 0x10 // struct sock_fprog
	secretFilter = 0x20
)

// controlDescriptor is what the stubs' descriptor of the control file is: the
// first that a zygote is given, which has none but its socket.
const controlDescriptor = 0

// Marks in the stub's code.
const (
	markEntry   = 1
	markForeign = 2
	markHandler = 3
)

// Commands to a waiting guest thread.
const (
	commandResult = iota // go on after a fast call with header.rax
	commandReload        // load all registers from the frame at header.context
	commandStore         // store the extended state and hand over again
	commandLeave         // end
)

// Kinds of what a guest thread hands over.
const (
	kindCall   = 1 // a call of patched code; registers are in the header
	kindSignal = 2 // a signal; registers are in the frame at header.context
)
