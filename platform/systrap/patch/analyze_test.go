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

// survey analyzes every site of a file, and holds each plan against objdump's
// reading of the file.
func survey(t *testing.T, path string) (a, e, all int) {
	im, d := loadImage(t, path), disassemble(t, path)
	for _, s := range d.sites {
		s.Number = number(im, s.Addr)
		p, ok := Analyze(im, s)
		if s.Number == rtSigreturn {
			if ok {
				t.Errorf("%x: rt_sigreturn is patched", s.Addr)
			}
			continue
		}
		all++
		switch {
		case !ok:
			t.Logf("%x: no: %s", s.Addr, around(d, s.Addr))
			continue
		case p.Form == FormA:
			a++
		case p.Form == FormE:
			e++
		}
		checkPlan(t, d, p)
	}
	return a, e, all
}

func checkPlan(t *testing.T, d *disassembly, p Plan) {
	t.Helper()
	bad := func(what string) {
		t.Errorf("%x: form %c: %s: %s", p.Site, p.Form, what, around(d, p.Site))
	}
	from, to := p.At, p.Site
	if p.Form == FormE {
		from, to = p.Stores[0].Addr, p.Stores[0].Addr+jumpSize
		// Back to where the padding begins, and what is before it.
		at := from
		for at > from-64 && (d.sizes[at] == 0 || isPadding(d.text[at])) {
			at--
		}
		if !isLeave(strings.Fields(d.text[at])) && d.text[at+1] != "int3" {
			bad("control reaches the padding from " + d.text[at])
		}
		for at += uint64(d.sizes[at]); at < to && isPadding(d.text[at]); {
			at += uint64(d.sizes[at])
		}
		if at < to {
			bad("not all of it is padding")
		}
	} else {
		if d.sizes[from] != int(to-from) {
			bad("not the instruction before")
		}
		from++
	}
	for ; from < to; from++ {
		if d.targets[from] {
			bad("a branch leads into what is replaced")
		}
	}
}

func isPadding(what string) bool {
	return strings.Contains(what, "nop") || strings.HasPrefix(what, "xchg   %ax,%ax") || what == "int3" ||
		strings.HasPrefix(what, "data16") && strings.Contains(what, "nop")
}

func isLeave(f []string) bool {
	if len(f) == 0 {
		return false
	}
	for _, op := range []string{"ret", "jmp", "ud2", "hlt", "int3"} {
		if f[0] == op || len(f) > 1 && f[1] == op {
			return true
		}
	}
	return false
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

// coverage is how many of 100 sites must have a plan, by file. They are some
// below what was found.
var coverage = []struct {
	path string
	min  int
}{
	{"/lib/x86_64-linux-gnu/libc.so.6", 95},
	{"/lib64/ld-linux-x86-64.so.2", 93},
	{"/usr/lib/x86_64-linux-musl/libc.so", 91},
	{"/bin/busybox", 94},
}

func TestSurvey(t *testing.T) {
	check := func(t *testing.T, path string, least int) {
		a, e, all := survey(t, path)
		t.Logf("%d sites: %d by form A, %d by form E, %d not", all, a, e, all-a-e)
		if all == 0 || (a+e)*100 < all*least {
			t.Errorf("fewer than %d %% of the sites have a plan", least)
		}
	}
	for _, f := range coverage {
		t.Run(filepath.Base(f.path), func(t *testing.T) {
			if _, err := os.Stat(f.path); err != nil {
				t.Skip(err)
			}
			check(t, f.path, f.min)
		})
	}
	t.Run("glibc-static", func(t *testing.T) { check(t, compile(t, "prog", threadsC, "gcc", "-static"), 92) })
	t.Run("musl-static", func(t *testing.T) { check(t, compile(t, "prog", threadsC, "musl-gcc", "-static"), 85) })
	t.Run("go", func(t *testing.T) { check(t, goBuild(t, httpGo), 95) })
}
