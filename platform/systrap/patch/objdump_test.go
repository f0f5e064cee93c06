package patch

import (
	"bufio"
	"debug/elf"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// disassembly is what objdump says of a file: the boundaries of its
// instructions, and its system calls with the number they are given, if the
// instruction before loads it.
type disassembly struct {
	sizes map[uint64]int
	sites []Site
	text  map[uint64]string
	// targets are where direct branches lead.
	targets map[uint64]bool
}

// disassemble runs objdump over a file.
func disassemble(t testing.TB, path string) *disassembly {
	t.Helper()
	if _, err := exec.LookPath("objdump"); err != nil {
		t.Skip("no objdump here")
	}
	cmd := exec.Command("objdump", "-d", "-w", "--no-show-raw-insn", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	bias := biasOf(f)
	d := &disassembly{sizes: map[uint64]int{}, text: map[uint64]string{}, targets: map[uint64]bool{}}
	last := uint64(0)
	for s := bufio.NewScanner(out); s.Scan(); {
		head, what, ok := strings.Cut(s.Text(), ":\t")
		addr, err := strconv.ParseUint(strings.TrimSpace(head), 16, 64)
		if !ok || err != nil {
			if strings.HasPrefix(s.Text(), "Disassembly") || strings.TrimSpace(s.Text()) == "..." {
				last = 0
			}
			continue
		}
		addr += bias
		if last != 0 {
			d.sizes[last] = int(addr - last)
		}
		last = addr
		d.text[addr] = what
		if f := strings.Fields(what); len(f) > 1 {
			op, to := f[0], f[1]
			if strings.HasPrefix(op, "bnd") || strings.HasPrefix(op, "notrack") {
				op, to = f[1], f[len(f)-1]
			}
			v, err := strconv.ParseUint(strings.TrimPrefix(to, "0x"), 16, 64)
			if err == nil && (op[0] == 'j' || op[0] == 'c' || op[0] == 'l') {
				d.targets[bias+v] = true
			}
		}
		if strings.TrimSpace(what) == "syscall" {
			d.sites = append(d.sites, Site{Addr: addr})
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return d
}
