package filter

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const archX86 = unix.AUDIT_ARCH_X86_64

// verdict is what a table says of a call, by reading its rules and nothing
// else.
func verdict(t *testing.T, table Table, nr uint32, args [6]uint64, ip uint64) uint32 {
	best := uint32(unix.SECCOMP_RET_KILL_PROCESS)
	for _, r := range table.Rules {
		n, err := number(r.Name)
		if err != nil {
			t.Fatalf("%s: %v", r.Name, err)
		}
		if uint32(n) != nr {
			continue
		}
		match := true
		for _, a := range r.Args {
			v := ip
			if a.Index != InstructionPointer {
				v = args[a.Index]
			}
			match = match && v&a.Mask == a.Value
		}
		if !match {
			continue
		}
		switch {
		case r.Errno != 0:
			best = unix.SECCOMP_RET_ERRNO | uint32(r.Errno)
		case r.Trap:
			best = unix.SECCOMP_RET_TRAP
		default:
			return unix.SECCOMP_RET_ALLOW
		}
	}
	return best
}

// run evaluates a classic BPF program on a call, as the kernel does. It knows
// the instructions that seccomp takes.
func run(prog []byte, nr, arch uint32, args [6]uint64, ip uint64) (uint32, error) {
	insns := decode(prog)
	data := make([]uint32, 16)
	data[0], data[1], data[2], data[3] = nr, arch, uint32(ip), uint32(ip>>32)
	for i, a := range args {
		data[4+2*i], data[5+2*i] = uint32(a), uint32(a>>32)
	}
	var acc, x uint32
	var mem [16]uint32
	for pc := 0; pc < len(insns); pc++ {
		in := insns[pc]
		operand := in.K
		if in.Code&unix.BPF_X != 0 {
			operand = x
		}
		switch in.Code & 7 {
		case unix.BPF_LD:
			switch in.Code & 0xe0 {
			case unix.BPF_ABS:
				if in.K%4 != 0 || in.K/4 >= uint32(len(data)) {
					return 0, fmt.Errorf("load at %d", in.K)
				}
				acc = data[in.K/4]
			case unix.BPF_IMM:
				acc = in.K
			case unix.BPF_MEM:
				acc = mem[in.K&15]
			default:
				return 0, fmt.Errorf("instruction %d: load %#x", pc, in.Code)
			}
		case unix.BPF_LDX:
			x = in.K
			if in.Code&0xe0 == unix.BPF_MEM {
				x = mem[in.K&15]
			}
		case unix.BPF_ST:
			mem[in.K&15] = acc
		case unix.BPF_ALU:
			if in.Code&0xf0 != unix.BPF_AND {
				return 0, fmt.Errorf("instruction %d: operation %#x", pc, in.Code)
			}
			acc &= operand
		case unix.BPF_JMP:
			taken := false
			switch in.Code & 0xf0 {
			case unix.BPF_JA:
				pc += int(in.K)
				continue
			case unix.BPF_JEQ:
				taken = acc == operand
			case unix.BPF_JGT:
				taken = acc > operand
			case unix.BPF_JGE:
				taken = acc >= operand
			case unix.BPF_JSET:
				taken = acc&operand != 0
			default:
				return 0, fmt.Errorf("instruction %d: jump %#x", pc, in.Code)
			}
			if taken {
				pc += int(in.Jt)
			} else {
				pc += int(in.Jf)
			}
		case unix.BPF_RET:
			return in.K, nil
		default:
			return 0, fmt.Errorf("instruction %d: code %#x", pc, in.Code)
		}
	}
	return 0, fmt.Errorf("the program has no end")
}

// maxNumber is above every system call's number.
const maxNumber = 480

func TestProgramAgreesWithTable(t *testing.T) {
	for _, table := range Tables() {
		prog, err := table.Program()
		if err != nil {
			t.Fatal(err)
		}
		interesting := values(table)
		seed := rand.Uint64()
		rng := rand.New(rand.NewPCG(seed, 1))
		check := func(nr uint32, args [6]uint64) {
			got, err := run(prog, nr, archX86, args, 0)
			if err != nil {
				t.Fatal(err)
			}
			if want := verdict(t, table, nr, args, 0); got != want {
				t.Fatalf("%s filter, seed %d: call %d%x gives %#x, the table says %#x", table.Zone, seed, nr, args, got, want)
			}
		}
		for nr := uint32(0); nr < maxNumber; nr++ {
			for range 60 {
				var args [6]uint64
				for i := range args {
					args[i] = interesting[rng.IntN(len(interesting))]
					switch rng.IntN(8) {
					case 0:
						args[i] ^= 1 << rng.IntN(64)
					case 1:
						args[i] |= 1 << (32 + rng.IntN(32))
					}
				}
				check(nr, args)
			}
		}
		// Every rule can be met.
		for _, r := range table.Rules {
			n, _ := number(r.Name)
			var args [6]uint64
			for _, a := range r.Args {
				args[a.Index] |= a.Value
			}
			check(uint32(n), args)
		}
	}
}

// values are the arguments that a table's rules tell apart.
func values(table Table) []uint64 {
	out := []uint64{0, 1, ^uint64(0)}
	for _, r := range table.Rules {
		for _, a := range r.Args {
			out = append(out, a.Value, a.Value|^a.Mask)
		}
	}
	return out
}

func TestOtherArchitecturesAreKilled(t *testing.T) {
	for _, table := range Tables() {
		prog, err := table.Program()
		if err != nil {
			t.Fatal(err)
		}
		for _, arch := range []uint32{unix.AUDIT_ARCH_I386, unix.AUDIT_ARCH_AARCH64, 0} {
			for _, nr := range []uint32{0, 1, 3, 59} {
				got, err := run(prog, nr, arch, [6]uint64{}, 0)
				if err != nil {
					t.Fatal(err)
				}
				if got != unix.SECCOMP_RET_KILL_PROCESS {
					t.Errorf("%s filter: call %d of architecture %#x gives %#x", table.Zone, nr, arch, got)
				}
			}
		}
		// x32 calls have the architecture of amd64 and a bit in their number.
		if got, _ := run(prog, 0x40000000|unix.SYS_READ, archX86, [6]uint64{}, 0); got != unix.SECCOMP_RET_KILL_PROCESS {
			t.Errorf("%s filter: an x32 call gives %#x", table.Zone, got)
		}
	}
}

// What no zone may ever ask for, whatever the tables grow to.
func TestTablesLackTheDangerousCalls(t *testing.T) {
	never := strings.Fields("execve execveat fork vfork mount umount2 pivot_root chroot setns unshare open_tree move_mount " +
		"fsopen fsmount mount_setattr init_module finit_module kexec_load bpf perf_event_open userfaultfd keyctl add_key " +
		"reboot swapon process_vm_readv process_vm_writev capset setuid setresuid setgroups io_uring_setup io_uring_enter " +
		"open creat open_by_handle_at name_to_handle_at pidfd_getfd seccomp iopl ioperm modify_ldt")
	for _, table := range append(Tables(), Stub(), TracedStub()) {
		for _, r := range table.Rules {
			for _, n := range never {
				if r.Name == n && r.Errno == 0 {
					t.Errorf("the %s table allows %s", table.Zone, n)
				}
			}
			if r.Reason == "" {
				t.Errorf("the %s table has no reason for %s", table.Zone, r.Name)
			}
		}
	}
	for _, r := range Sentry(Mode{}).Rules {
		for _, n := range []string{"openat", "openat2", "socket", "connect", "bind", "unlinkat", "mknodat"} {
			if r.Name == n {
				t.Errorf("the Sentry may call %s", n)
			}
		}
	}
}

func TestNoZoneMapsExecutableMemory(t *testing.T) {
	for _, table := range Tables() {
		for _, nr := range []uint32{unix.SYS_MMAP, unix.SYS_MPROTECT} {
			for _, flags := range []uint64{unix.MAP_SHARED, unix.MAP_PRIVATE, unix.MAP_PRIVATE | unix.MAP_ANONYMOUS, unix.MAP_SHARED | unix.MAP_ANONYMOUS} {
				args := [6]uint64{0, 4096, unix.PROT_READ | unix.PROT_EXEC, flags}
				if got := verdict(t, table, nr, args, 0); got != unix.SECCOMP_RET_KILL_PROCESS {
					t.Errorf("%s: call %d with PROT_EXEC and flags %#x gives %#x", table.Zone, nr, flags, got)
				}
			}
		}
	}
}

func TestPrint(t *testing.T) {
	var b bytes.Buffer
	if err := Print(&b, append(Tables(), Stub(), TracedStub())...); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"sentry: ", "gofer: ", "stub: ", "openat2", "ptrace", "answered with"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not printed", want)
		}
	}
}

func TestInstallRefusesGarbage(t *testing.T) {
	for _, prog := range [][]byte{nil, {1, 2, 3}, make([]byte, 8*5000)} {
		if err := Install(prog); err == nil {
			t.Errorf("a program of %d bytes was taken", len(prog))
		}
	}
}
