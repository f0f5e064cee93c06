package netlink

import (
	"encoding/binary"
	"net/netip"

	"cordon/netstack"
)

// Operations of inet_diag's bytecode (inet_diag.h).
const (
	bcNop = iota
	bcJmp
	bcSGE
	bcSLE
	bcDGE
	bcDLE
	bcAuto
	bcSCond
	bcDCond
	bcDevCond
	bcMarkCond
	bcSEq
	bcDEq
)

// An instruction has code, yes (a byte) and no (16 bits): how far to go on if it holds and if not. A port that it compares
// with is in the no of the instruction behind it. A jump to the end of the code accepts, one past it refuses.
const bcSize = 4

func bcAt(code []byte, pc int) (op, yes byte, no uint16) {
	return code[pc], code[pc+1], binary.LittleEndian.Uint16(code[pc+2:])
}

// bcNeeds is how many bytes an instruction has, 0 for one that is not known.
func bcNeeds(op byte, rest []byte) int {
	switch op {
	case bcNop, bcJmp, bcAuto:
		return bcSize
	case bcSGE, bcSLE, bcDGE, bcDLE, bcSEq, bcDEq, bcDevCond:
		return 2 * bcSize
	case bcSCond, bcDCond:
		const head = 8
		if len(rest) < bcSize+head {
			return 0
		}
		bits := 32
		switch rest[bcSize] {
		case 0:
			return bcSize + head
		case 10: // AF_INET6
			bits = 128
		case 2: // AF_INET
		default:
			return 0
		}
		if int(rest[bcSize+1]) > bits {
			return 0
		}
		return bcSize + head + bits/8
	}
	return 0
}

// soundBytecode checks a program as Linux: net/ipv4/inet_diag.c inet_diag_bc_audit does: it goes forward only, in steps of
// instructions.
func soundBytecode(code []byte) bool {
	n := len(code)
	if n == 0 || n%bcSize != 0 {
		return false
	}
	starts := make(map[int]bool)
	targets := []int(nil)
	for pc := 0; pc < n; {
		starts[pc] = true
		op, yes, no := bcAt(code, pc)
		need := bcNeeds(op, code[pc:])
		if need == 0 || need > n-pc {
			return false
		}
		if op != bcNop {
			if int(no) < bcSize || int(no) > n-pc+bcSize || no%bcSize != 0 {
				return false
			}
			if int(no) < n-pc {
				targets = append(targets, pc+int(no))
			}
		}
		if int(yes) < need || int(yes) > n-pc+bcSize || yes%bcSize != 0 {
			return false
		}
		pc += int(yes)
	}
	for _, t := range targets {
		if !starts[t] {
			return false
		}
	}
	return true
}

// runBytecode says whether a checked program accepts an endpoint.
func runBytecode(code []byte, e *netstack.EndpointInfo) bool {
	pc := 0
	for pc < len(code) {
		op, yes, no := bcAt(code, pc)
		if bcHolds(op, code[pc:], e) {
			pc += int(yes)
		} else {
			pc += int(no)
		}
	}
	return pc == len(code)
}

func bcHolds(op byte, rest []byte, e *netstack.EndpointInfo) bool {
	port := func() uint16 { return binary.LittleEndian.Uint16(rest[bcSize+2:]) }
	switch op {
	case bcNop, bcAuto:
		return true
	case bcSGE:
		return e.Local.Port >= port()
	case bcSLE:
		return e.Local.Port <= port()
	case bcDGE:
		return e.Remote.Port >= port()
	case bcDLE:
		return e.Remote.Port <= port()
	case bcSEq:
		return e.Local.Port == port()
	case bcDEq:
		return e.Remote.Port == port()
	case bcDevCond:
		want := binary.LittleEndian.Uint32(rest[bcSize:])
		return want == uint32(e.Local.Index)
	case bcSCond:
		return bcHost(rest[bcSize:], e.Local)
	case bcDCond:
		return bcHost(rest[bcSize:], e.Remote)
	}
	return false // a jump
}

// bcHost compares an address with struct inet_diag_hostcond.
func bcHost(c []byte, a netstack.Addr) bool {
	bits, port := int(c[1]), int32(binary.LittleEndian.Uint32(c[4:]))
	if port != -1 && port != int32(a.Port) {
		return false
	}
	if bits == 0 {
		return true
	}
	size := 4
	if c[0] == 10 {
		size = 16
	}
	want, ok := netip.AddrFromSlice(c[8 : 8+size])
	have := a.IP
	if !have.IsValid() {
		have = netip.IPv4Unspecified()
		if size == 16 {
			have = netip.IPv6Unspecified()
		}
	}
	if size == 4 {
		have = have.Unmap()
	}
	return ok && want.BitLen() == have.BitLen() && netip.PrefixFrom(want, bits).Contains(have)
}
