package filter

import (
	"encoding/binary"
	"fmt"
	"os"

	seccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// An Arg is a condition: argument Index, taken through Mask, equals Value.
type Arg struct {
	Index uint
	Mask  uint64
	Value uint64
}

// Eq is the condition that an argument is exactly v.
func Eq(index uint, v uint64) Arg { return Arg{index, ^uint64(0), v} }

// Eq32 is Eq for an argument that the kernel takes as an int: what libraries
// leave in the upper half is not looked at.
func Eq32(index uint, v uint32) Arg { return Arg{index, 0xffffffff, uint64(v)} }

// Only is the condition that an argument has no bits but those of bits.
func Only(index uint, bits uint64) Arg { return Arg{index, ^bits, 0} }

// InstructionPointer is the Index of an Arg on the address after the call.
const InstructionPointer = 6

// A Rule allows a system call when all of Args hold. Several rules of one name
// are alternatives. With Errno set the call is answered with that error, with
// Trap it becomes a SIGSYS.
type Rule struct {
	Name   string
	Args   []Arg
	Errno  unix.Errno
	Trap   bool
	Reason string
}

// A Table is what one zone may ask the host for.
type Table struct {
	Zone  string
	About string
	Rules []Rule
}

// Allow is one rule for each of names, without conditions.
func Allow(reason string, names ...string) []Rule {
	rules := make([]Rule, len(names))
	for i, n := range names {
		rules[i] = Rule{Name: n, Reason: reason}
	}
	return rules
}

// AllowEach is one rule of name for each value that argument index may have.
func AllowEach(reason, name string, index uint, values ...uint64) []Rule {
	rules := make([]Rule, len(values))
	for i, v := range values {
		rules[i] = Rule{Name: name, Args: []Arg{Eq32(index, uint32(v))}, Reason: reason}
	}
	return rules
}

// Compile renders the table as a classic BPF program in the host's byte order.
func (t Table) Compile() ([]byte, error) {
	f, err := seccomp.NewFilter(seccomp.ActKillProcess)
	if err != nil {
		return nil, fmt.Errorf("libseccomp: %w", err)
	}
	defer f.Release()
	if err := f.SetBadArchAction(seccomp.ActKillProcess); err != nil {
		return nil, fmt.Errorf("libseccomp: %w", err)
	}
	// A binary tree: a list costs every call the comparisons before it.
	if err := f.SetOptimize(2); err != nil {
		return nil, fmt.Errorf("libseccomp: %w", err)
	}
	for _, r := range t.Rules {
		if err := addRule(f, r); err != nil {
			return nil, fmt.Errorf("%s filter: rule for %s: %w", t.Zone, r.Name, err)
		}
	}
	return export(f)
}

func addRule(f *seccomp.ScmpFilter, r Rule) error {
	nr, err := number(r.Name)
	if err != nil {
		return err
	}
	action := seccomp.ActAllow
	if r.Errno != 0 {
		action = seccomp.ActErrno.SetReturnCode(int16(r.Errno))
	}
	if r.Trap {
		action = seccomp.ActTrap
	}
	if len(r.Args) == 0 {
		return f.AddRule(nr, action)
	}
	conds := make([]seccomp.ScmpCondition, len(r.Args))
	for i, a := range r.Args {
		if conds[i], err = seccomp.MakeCondition(a.Index, seccomp.CompareMaskedEqual, a.Mask, a.Value); err != nil {
			return err
		}
	}
	return f.AddRuleConditionalExact(nr, action, conds)
}

// newCalls are numbers that Debian 12's libseccomp has no names for.
var newCalls = map[string]seccomp.ScmpSyscall{
	"setxattrat": 463, "getxattrat": 464, "listxattrat": 465, "removexattrat": 466,
}

func number(name string) (seccomp.ScmpSyscall, error) {
	if nr, ok := newCalls[name]; ok {
		return nr, nil
	}
	return seccomp.GetSyscallFromName(name)
}

// export writes the program to a memory file and reads it back: libseccomp
// before 2.6 cannot export to memory.
func export(f *seccomp.ScmpFilter) ([]byte, error) {
	fd, err := unix.MemfdCreate("filter", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	m := os.NewFile(uintptr(fd), "filter")
	defer m.Close()
	if err := f.ExportBPF(m); err != nil {
		return nil, fmt.Errorf("libseccomp: %w", err)
	}
	st, err := m.Stat()
	if err != nil {
		return nil, err
	}
	prog := make([]byte, st.Size())
	if _, err := m.ReadAt(prog, 0); err != nil {
		return nil, err
	}
	if err := Check(prog); err != nil {
		return nil, err
	}
	return prog, nil
}

// instructionSize is that of struct sock_filter.
const instructionSize = 8

// Check reports whether prog has the form of a filter the kernel takes.
func Check(prog []byte) error {
	if len(prog) == 0 || len(prog)%instructionSize != 0 || len(prog)/instructionSize > unix.BPF_MAXINSNS {
		return fmt.Errorf("a filter program of %d bytes", len(prog))
	}
	return nil
}

func decode(prog []byte) []unix.SockFilter {
	out := make([]unix.SockFilter, len(prog)/instructionSize)
	for i := range out {
		p := prog[i*instructionSize:]
		out[i] = unix.SockFilter{Code: binary.NativeEndian.Uint16(p), Jt: p[2], Jf: p[3], K: binary.NativeEndian.Uint32(p[4:])}
	}
	return out
}
