package network

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"

	"cordon/runsc/boot"

	"golang.org/x/sys/unix"
)

// Programs of the host that enter a container's network namespace expect its loopback there: containerd's port forward connects
// to 127.0.0.1. For them the namespace's stack asks a program of ours which socket a connection to 127.0.0.1 or ::1 is for,
// whatever its port, and that is one of ours; the Sentry accepts from it and connects to the same port of the sandbox. Other
// addresses of loopback stay the namespace's own: Docker's resolver is at 127.0.0.11.

// A bpfInsn is an instruction of eBPF, as the kernel has it in memory.
type bpfInsn struct {
	op, regs uint8 // the destination is in the lower half of regs
	off      int16
	imm      int32
}

// Offsets in struct bpf_sk_lookup.
const (
	lookupFamily   = 8
	lookupProtocol = 12
	lookupLocal4   = 40
	lookupLocal6   = 44
)

// eBPF's instructions and functions, of those that lookupProgram needs.
const (
	bpfLoad32   = unix.BPF_LDX | unix.BPF_MEM | unix.BPF_W
	bpfStore32  = unix.BPF_ST | unix.BPF_MEM | unix.BPF_W
	bpfLoadMap  = unix.BPF_LD | unix.BPF_IMM | unix.BPF_DW
	bpfMove     = unix.BPF_ALU64 | unix.BPF_MOV | unix.BPF_X
	bpfMoveImm  = unix.BPF_ALU64 | unix.BPF_MOV | unix.BPF_K
	bpfAddImm   = unix.BPF_ALU64 | unix.BPF_ADD | unix.BPF_K
	bpfJump     = unix.BPF_JMP | unix.BPF_JA
	bpfIfEqual  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	bpfIfOther  = unix.BPF_JMP | unix.BPF_JNE | unix.BPF_K
	bpfCall     = unix.BPF_JMP | unix.BPF_CALL
	bpfExit     = unix.BPF_JMP | unix.BPF_EXIT
	bpfMapFD    = 1 // BPF_PSEUDO_MAP_FD, as a source
	bpfLookUp   = 1 // bpf_map_lookup_elem
	bpfAssign   = 124
	bpfRelease  = 86
	bpfPass     = 1 // SK_PASS
	bpfFramePtr = 10
)

// Places in the map of sockets.
const (
	place4 = iota
	place6
	places
)

// lookupProgram assigns connections to 127.0.0.1 and ::1 to the sockets of a map. For everything else, and where a socket has gone, it leaves
// the choice to the kernel.
func lookupProgram(socketMap int) []bpfInsn {
	word := func(a ...byte) int32 { return int32(binary.NativeEndian.Uint32(a)) }
	const ctx, tmp, sock = 6, 2, 7
	insn := func(op uint8, dst, src uint8, off int16, imm int32) bpfInsn {
		return bpfInsn{op, src<<4 | dst, off, imm}
	}
	var p []bpfInsn
	var toPass []int
	unless := func(field int16, value int32) { // or pass
		p = append(p, insn(bpfLoad32, tmp, ctx, field, 0))
		toPass = append(toPass, len(p))
		p = append(p, insn(bpfIfOther, tmp, 0, 0, value))
	}
	p = append(p, insn(bpfMove, ctx, 1, 0, 0))
	unless(lookupProtocol, unix.IPPROTO_TCP)
	p = append(p, insn(bpfLoad32, tmp, ctx, lookupFamily, 0))
	to6 := len(p)
	p = append(p, insn(bpfIfEqual, tmp, 0, 0, unix.AF_INET6))
	unless(lookupLocal4, word(127, 0, 0, 1))
	p = append(p, insn(bpfStore32, bpfFramePtr, 0, -4, place4))
	to := len(p)
	p = append(p, insn(bpfJump, 0, 0, 0, 0))
	p[to6].off = int16(len(p) - to6 - 1)
	for i := range int16(3) {
		unless(lookupLocal6+4*i, 0)
	}
	unless(lookupLocal6+12, word(0, 0, 0, 1))
	p = append(p, insn(bpfStore32, bpfFramePtr, 0, -4, place6))
	p[to].off = int16(len(p) - to - 1)
	p = append(p,
		insn(bpfLoadMap, 1, bpfMapFD, 0, int32(socketMap)), bpfInsn{},
		insn(bpfMove, 2, bpfFramePtr, 0, 0),
		insn(bpfAddImm, 2, 0, 0, -4),
		insn(bpfCall, 0, 0, 0, bpfLookUp))
	toPass = append(toPass, len(p))
	p = append(p,
		insn(bpfIfEqual, 0, 0, 0, 0),
		insn(bpfMove, sock, 0, 0, 0),
		insn(bpfMove, 1, ctx, 0, 0),
		insn(bpfMove, 2, sock, 0, 0),
		insn(bpfMoveImm, 3, 0, 0, 0),
		insn(bpfCall, 0, 0, 0, bpfAssign),
		insn(bpfMove, 1, sock, 0, 0),
		insn(bpfCall, 0, 0, 0, bpfRelease))
	for _, i := range toPass {
		p[i].off = int16(len(p) - i - 1)
	}
	return append(p, insn(bpfMoveImm, 0, 0, 0, bpfPass), insn(bpfExit, 0, 0, 0, 0))
}

// addLoopback adds to a network what makes the sandbox's loopback that of the namespace that the caller's thread is in. A host that has
// no such programs (before Linux 5.9), or lets the caller have none, does without: the error says why.
func addLoopback(n *boot.Network) error {
	netns, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer netns.Close()
	sockets, err := socketMap(places)
	if err != nil {
		return fmt.Errorf("a map of sockets: %w", err)
	}
	defer unix.Close(sockets)
	var listeners []int
	defer func() {
		for _, fd := range listeners {
			unix.Close(fd)
		}
	}()
	for place, ip := range []netip.Addr{place4: netip.AddrFrom4([4]byte{127, 0, 0, 1}), place6: netip.IPv6Loopback()} {
		p := Published{Host: netip.AddrPortFrom(ip, 0)}
		fd, err := p.listenOn(p.Host)
		if err != nil {
			continue // a namespace without that family
		}
		listeners = append(listeners, fd)
		if err := setSocket(sockets, uint32(place), fd); err != nil {
			return fmt.Errorf("a socket in a map: %w", err)
		}
	}
	prog, err := loadLookup(lookupProgram(sockets))
	if err != nil {
		return fmt.Errorf("loading a program: %w", err)
	}
	defer unix.Close(prog)
	link, err := attachLookup(prog, int(netns.Fd()))
	if err != nil {
		return fmt.Errorf("attaching a program: %w", err)
	}
	l := &boot.Loopback{Link: n.Add(link)}
	for _, fd := range listeners {
		l.Listeners = append(l.Listeners, n.Add(fd))
	}
	listeners = nil
	n.Loopback = l
	return nil
}
