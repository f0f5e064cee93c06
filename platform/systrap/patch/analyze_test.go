package patch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// installed are files of this machine, by what they show.
var installed = []string{
	"/lib/x86_64-linux-gnu/libc.so.6",
	"/lib64/ld-linux-x86-64.so.2",
	"/usr/lib/x86_64-linux-musl/libc.so",
	"/usr/lib/x86_64-linux-gnu/libcrypto.so.3",
	"/bin/busybox",
}

// TestDecodeAsObjdump compares every instruction of real files, among them
// those of the wide vectors in libcrypto.
func TestDecodeAsObjdump(t *testing.T) {
	for _, path := range installed {
		t.Run(filepath.Base(path), func(t *testing.T) {
			if _, err := os.Stat(path); err != nil {
				t.Skip(err)
			}
			im, d := loadImage(t, path), disassemble(t, path)
			wrong, refused := 0, 0
			for addr, size := range d.sizes {
				what := d.text[addr]
				if size > maxInsn || strings.Contains(what, "(bad)") || strings.HasPrefix(what, ".byte") {
					continue
				}
				var b [maxInsn]byte
				in := decode(b[:im.Read(addr, b[:])])
				if in.kind == kindBad {
					refused++
				} else if in.size != size {
					if wrong++; wrong < 20 {
						t.Logf("%x: %d bytes, not %d: % x %s", addr, in.size, size, b[:size], what)
					}
				}
			}
			// objdump reads fwait as part of the instruction behind it. libcrypto
			// has tables in its text, which read as instructions of the kernel's.
			t.Logf("%d instructions, %d of another length, %d refused", len(d.sizes), wrong, refused)
			if wrong > len(d.sizes)/10000 || refused > len(d.sizes)/100 {
				t.Error("too many")
			}
		})
	}
}

// survey analyzes every site of a file.
func survey(t *testing.T, path string) (a, e, all int) {
	im, d := loadImage(t, path), disassemble(t, path)
	for _, s := range d.sites {
		s.Number = number(im, s.Addr)
		if s.Number == rtSigreturn {
			continue
		}
		all++
		p, ok := Analyze(im, s)
		switch {
		case !ok:
			t.Logf("%x: no: %s", s.Addr, around(d, s.Addr))
			continue
		case p.Form == FormA:
			a++
		case p.Form == FormE:
			e++
		}
		for _, st := range p.Stores {
			if !whole(d, st.Addr, len(st.Old)) && p.Form == FormA && p.At+uint64(d.sizes[p.At]) != s.Addr {
				t.Errorf("%x: form %c, not whole instructions at %x: %s", s.Addr, p.Form, st.Addr, around(d, s.Addr))
			}
		}
	}
	return a, e, all
}

// whole tells whether objdump sees instructions begin at addr and end n bytes
// on.
func whole(d *disassembly, addr uint64, n int) bool {
	end := addr + uint64(n)
	for addr < end && d.sizes[addr] > 0 {
		addr += uint64(d.sizes[addr])
	}
	return addr == end
}

func around(d *disassembly, addr uint64) string {
	s := ""
	for i := addr - 24; i < addr+12; i++ {
		if d.sizes[i] > 0 {
			s += strings.TrimSpace(d.text[i]) + "; "
		}
	}
	return s
}

func TestSurvey(t *testing.T) {
	for _, path := range installed {
		t.Run(filepath.Base(path), func(t *testing.T) {
			if _, err := os.Stat(path); err != nil {
				t.Skip(err)
			}
			a, e, all := survey(t, path)
			t.Logf("%d sites: %d by form A, %d by form E, %d not", all, a, e, all-a-e)
		})
	}
}
