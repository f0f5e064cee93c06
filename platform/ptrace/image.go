package ptrace

import (
	"encoding/binary"

	"cordon/platform/stub"
)

// The stub's two pages at the top of the address space, as zygote_amd64.s has
// them, and what lies in the code page behind the code.
const (
	pageSize = 4096

	stubAddress = 0x7fffffffd000
	confAddress = stubAddress + confOffset
	dataAddress = 0x7fffffffe000
	bootAddress = 0x10000000

	confOffset = 0x800
	confSocket = 0x00 // u64: the command socket
	confProg   = 0x08 // struct sock_fprog
	confCapHdr = 0x18 // struct __user_cap_header_struct
	confCaps   = 0x20 // two struct __user_cap_data_struct: none
	confAction = 0x38 // struct sigaction: SIG_IGN
	confMask   = 0x58 // u64: blocked signals
	confZero   = 0x60 // u64: 0
	confName   = 0x68 // 16 bytes
	confFilter = 0x80 // struct sock_filter...

	offInject = 0x00
	offClone  = 0x08
	offPark   = 0x10
	offEntry  = 0x20

	// Where int3 leaves a thread after an injected call.
	afterInject = stubAddress + offInject + 3
	afterClone  = stubAddress + offClone + 7
)

// Guest mappings lie in [minAddress, maxAddress). The host refuses lower ones
// (vm.mmap_min_addr), the stub's pages lie above.
const (
	minAddress = 0x10000
	maxAddress = 0x7fffffff0000
)

// unblocked are the signals a stub takes: what the processor raises, the vsyscall
// page's SIGSYS and the kick. A signal sent to the whole process group (^C on
// the terminal) stays pending.
func blockedSignals() uint64 {
	mask := ^uint64(0)
	for _, s := range [...]uint{sigILL, sigTRAP, sigBUS, sigFPE, sigSEGV, sigSYS, kickSignal} {
		mask &^= 1 << (s - 1)
	}
	return mask
}

// buildPage lays out the code page. It returns nil when something does not fit.
func buildPage(code []byte, socket uint64) []byte {
	page := make([]byte, pageSize)
	filter := stub.Compile(StubSyscalls(socket))
	if len(code) > confOffset || confOffset+confFilter+len(filter) > pageSize {
		return nil
	}
	copy(page, code)
	conf := page[confOffset:]
	le := binary.LittleEndian
	le.PutUint64(conf[confSocket:], socket)
	le.PutUint16(conf[confProg:], uint16(len(filter)/8))
	le.PutUint64(conf[confProg+8:], confAddress+confFilter)
	le.PutUint32(conf[confCapHdr:], 0x20080522) // _LINUX_CAPABILITY_VERSION_3
	le.PutUint64(conf[confAction:], 1)          // SIG_IGN
	le.PutUint64(conf[confMask:], blockedSignals())
	copy(conf[confName:confName+15], "cordon-stub")
	copy(conf[confFilter:], filter)
	return page
}
