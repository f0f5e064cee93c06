package patch

import (
	"bufio"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

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
	d := &disassembly{sizes: map[uint64]int{}, text: map[uint64]string{}}
	last := uint64(0)
	for s := bufio.NewScanner(out); s.Scan(); {
		head, what, ok := strings.Cut(s.Text(), ":\t")
		addr, err := strconv.ParseUint(strings.TrimSpace(head), 16, 64)
		if !ok || err != nil {
			last = 0
			continue
		}
		addr += bias
		if last != 0 {
			d.sizes[last] = int(addr - last)
		}
		last = addr
		d.text[addr] = what
		if strings.TrimSpace(what) == "syscall" {
			d.sites = append(d.sites, Site{Addr: addr})
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return d
}
