package systrap

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/platform/arch"
	"cordon/platform/stub"
)

// kickSignal interrupts a guest. It is one whose default is to be ignored, so
// that it is harmless to a thread that has no handler, and a standard one, so that
// no more than one is ever queued.
const kickSignal = uint(linux.SIGWINCH)

// caught are the signals that stubs handle: what the processor raises, what the
// filter raises and the kick. A signal sent to the whole process group (^C on the
// terminal) stays pending.
var caught = [...]linux.Signal{
	linux.SIGILL, linux.SIGTRAP, linux.SIGBUS, linux.SIGFPE, linux.SIGSEGV, linux.SIGSYS, linux.Signal(kickSignal),
}

// guestMask is the set of signals blocked while a guest runs.
func guestMask() uint64 {
	mask := ^uint64(0)
	for _, s := range caught {
		mask &^= 1 << (s - 1)
	}
	return mask
}

// marks finds the marked instructions of the stub's code (MARK in the assembly).
func marks(code []byte) map[byte]uint64 {
	found := map[byte]uint64{}
	for i := 0; i+8 <= len(code); i++ {
		if bytes.Equal(code[i:i+4], []byte{0x0f, 0x1f, 0x84, 0x00}) && code[i+5] == 0 && code[i+6] == 0xde && code[i+7] == 0xc0 {
			found[code[i+4]] = stubAddress + uint64(i) + 8
		}
	}
	return found
}

// A secret is what the filter wants to see in the upper halves of the fourth and
// the fifth argument of the leader's and the zygote's calls. The kernel ignores
// these halves. No guest ever runs with it in reach.
type secret [2]uint32

// buildImage lays out code, configuration and secret. It returns nil when
// something does not fit.
func buildImage(code []byte, socket uint64, s secret) []byte {
	image := make([]byte, 3*pageSize)
	filter := compileFilter(s)
	handler := marks(code)[markHandler]
	if len(code) > codeSize || len(code) == 0 || handler == 0 || secretFilter+len(filter) > pageSize || socket == controlDescriptor {
		return nil
	}
	copy(image, code)
	conf := image[codeSize:]
	le := binary.LittleEndian
	le.PutUint64(conf[confSocket:], socket)
	le.PutUint32(conf[confControl:], controlDescriptor)
	le.PutUint32(conf[confCapHdr:], 0x20080522) // _LINUX_CAPABILITY_VERSION_3
	le.PutUint64(conf[confMask:], ^uint64(0))
	copy(conf[confName:confName+15], "cordon-stub")
	le.PutUint64(conf[confFeatures:], arch.FPUFeatures())
	putActions(conf[confActions:], handler)

	sec := image[secretPage*pageSize:]
	le.PutUint64(sec[secretWords:], uint64(s[0])<<32)
	le.PutUint64(sec[secretWords+8:], uint64(s[1])<<32)
	le.PutUint16(sec[secretProg:], uint16(len(filter)/8))
	le.PutUint64(sec[secretProg+8:], bootAddress+secretPage*pageSize+secretFilter)
	copy(sec[secretFilter:], filter)
	return image
}

// putActions writes the list of signals and their struct sigaction.
func putActions(b []byte, handler uint64) {
	le := binary.LittleEndian
	const flags = linux.SA_SIGINFO | linux.SA_ONSTACK | linux.SA_RESTORER
	put := func(i int, signal uint64, handler, flags, mask uint64) {
		e := b[40*i:]
		le.PutUint64(e[0:], signal)
		le.PutUint64(e[8:], handler)
		le.PutUint64(e[16:], flags)
		le.PutUint64(e[24:], handler) // the restorer, never used
		le.PutUint64(e[32:], mask)
	}
	for i, s := range caught {
		put(i, uint64(s), handler, uint64(flags), ^uint64(0))
	}
	put(len(caught), uint64(unix.SIGCHLD), 1, uint64(linux.SA_RESTORER), 0) // SIG_IGN: no zombies
}

// buildELF returns the zygote's program.
func buildELF(code []byte, socket uint64, s secret) []byte {
	image := buildImage(code, socket, s)
	if image == nil {
		return nil
	}
	return stub.BuildELF(image, bootAddress, 0)
}
