package stub

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// A Rule allows one host system call to a process.
type Rule struct {
	Number uint32
	Name   string
	Why    string
	Args   []ArgRule

	// Trap makes the call a SIGSYS, which the Sentry takes as the guest's own
	// call, instead of running it.
	Trap bool
}

// An ArgRule holds for an argument when argument & Mask is one of Values.
// Index 6 is the instruction pointer after the call.
type ArgRule struct {
	Index  int
	Mask   uint64
	Values []uint64
}

// Arg returns a rule for argument index.
func Arg(index int, mask uint64, values ...uint64) ArgRule { return ArgRule{index, mask, values} }

// AllBits is the mask of an ArgRule that compares whole arguments, ArgIP the
// index that stands for the instruction pointer.
const (
	AllBits = ^uint64(0)
	ArgIP   = 6
)

// Offsets in struct seccomp_data.
const (
	dataNumber = 0
	dataArch   = 4
	dataIP     = 8
	dataArgs   = 16
)

type instruction struct {
	code   uint16
	jt, jf uint8
	k      uint32
}

const (
	load = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	jeq  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	and  = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	ret  = unix.BPF_RET | unix.BPF_K
)

// Compile returns rules as a seccomp filter in the host's byte form. What
// no rule allows kills the whole process.
func Compile(rules []Rule) []byte {
	start := []instruction{
		{load, 0, 0, dataArch},
		{jeq, 1, 0, unix.AUDIT_ARCH_X86_64},
		{ret, 0, 0, unix.SECCOMP_RET_KILL_PROCESS},
	}
	end := []instruction{{ret, 0, 0, unix.SECCOMP_RET_KILL_PROCESS}}
	return append(append(encode(start), CompileRules(rules)...), encode(end)...)
}

// CompileRules returns the part of a filter that allows what rules allow, kills the
// process for a call of theirs with other arguments, and goes on behind its end
// with any other call.
func CompileRules(rules []Rule) []byte {
	var prog []instruction
	for _, r := range rules {
		// The body is built first, so that the test before it knows how far
		// to jump. A failed argument ends in the kill at the body's end.
		var body []instruction
		for _, a := range r.Args {
			offset := uint32(dataArgs + 8*a.Index)
			if a.Index == ArgIP {
				offset = dataIP
			}
			var match []instruction
			for i, v := range a.Values {
				// Per value: 6 instructions; the last one that fails falls
				// into the kill, a match jumps over the rest.
				rest := uint8(6*(len(a.Values)-1-i) + 1)
				match = append(match,
					instruction{load, 0, 0, offset},
					instruction{and, 0, 0, uint32(a.Mask)},
					instruction{jeq, 0, 3, uint32(v)},
					instruction{load, 0, 0, offset + 4},
					instruction{and, 0, 0, uint32(a.Mask >> 32)},
					instruction{jeq, rest, 0, uint32(v >> 32)},
				)
			}
			match = append(match, instruction{ret, 0, 0, unix.SECCOMP_RET_KILL_PROCESS})
			body = append(body, match...)
		}
		verdict := uint32(unix.SECCOMP_RET_ALLOW)
		if r.Trap {
			verdict = unix.SECCOMP_RET_TRAP
		}
		body = append(body, instruction{ret, 0, 0, verdict})
		prog = append(prog,
			instruction{load, 0, 0, dataNumber},
			instruction{jeq, 0, uint8(len(body)), r.Number},
		)
		prog = append(prog, body...)
	}
	return encode(prog)
}

func encode(prog []instruction) []byte {
	out := make([]byte, 0, 8*len(prog))
	for _, i := range prog {
		out = binary.LittleEndian.AppendUint16(out, i.code)
		out = append(out, i.jt, i.jf)
		out = binary.LittleEndian.AppendUint32(out, i.k)
	}
	return out
}
