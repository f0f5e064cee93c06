package patch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// installed are files that most machines have, and how many of 100 sites must
// have a plan there, some less than was found.
var installed = []struct {
	path string
	min  int
}{
	{"/lib/x86_64-linux-gnu/libc.so.6", 95},
	{"/lib64/ld-linux-x86-64.so.2", 93},
	{"/usr/lib/x86_64-linux-musl/libc.so", 92},
	{"/usr/lib/x86_64-linux-gnu/libcrypto.so.3", 0},
	{"/bin/busybox", 94},
}

func TestRealFiles(t *testing.T) {
	for _, f := range installed {
		t.Run(filepath.Base(f.path), func(t *testing.T) {
			if _, err := os.Stat(f.path); err != nil {
				t.Skip(err)
			}
			im, d := loadImage(t, f.path), disassemble(t, f.path)
			t.Run("decodes_as_objdump", func(t *testing.T) { compareDecoder(t, im, d) })
			t.Run("plans", func(t *testing.T) { checkCoverage(t, im, d, f.min) })
			t.Run("agreement_is_right", func(t *testing.T) { checkAgreement(t, im, d, f.min > 0) })
		})
	}
	built := func(name string, least int, path func() string) {
		t.Run(name, func(t *testing.T) {
			p := path()
			checkCoverage(t, loadImage(t, p), disassemble(t, p), least)
		})
	}
	built("glibc-static", 92, func() string { return compile(t, "prog", threadsC, "gcc", "-static") })
	built("musl-static", 90, func() string { return compile(t, "prog", threadsC, "musl-gcc", "-static") })
	built("go", 95, func() string { return goBuild(t, httpGo) })
}

// compareDecoder holds every instruction of a file against objdump.
func compareDecoder(t *testing.T, im *image, d *disassembly) {
	wrong, refused := 0, 0
	for addr, size := range d.sizes {
		what := d.text[addr]
		// objdump reads fwait as part of the instruction behind it.
		var b [maxInsn]byte
		n := im.Read(addr, b[:])
		if size > maxInsn || strings.Contains(what, "(bad)") || strings.HasPrefix(what, ".byte") || b[0] == 0x9b {
			continue
		}
		in := decode(b[:n])
		if in.kind == kindBad {
			refused++
		} else if in.size != size && !strings.Contains(what, "rex") {
			wrong++
			t.Logf("%x: %d bytes, not %d: % x %s", addr, in.size, size, b[:size], what)
		}
	}
	// libcrypto has tables in its text, which read as instructions of the
	// kernel's, and of anything.
	t.Logf("%d instructions, %d of another length, %d refused", len(d.sizes), wrong, refused)
	if wrong > 0 || refused > len(d.sizes)/100 {
		t.Error("too many")
	}
}

// checkCoverage analyzes every site of a file, and holds each plan against
// objdump's reading of the file.
func checkCoverage(t *testing.T, im *image, d *disassembly, least int) {
	a, e, torn, all := 0, 0, 0, 0
	for _, s := range d.sites {
		s.Number = number(im, s.Addr)
		p, ok := Analyze(im, s)
		if s.Number == Sigreturn {
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
		if !p.Atomic() {
			torn++
		}
		checkPlan(t, d, p)
	}
	t.Logf("%d sites: %d by form A, %d by form E, %d not; %d not by atomic stores", all, a, e, all-a-e, torn)
	if (a+e)*100 < all*least {
		t.Errorf("fewer than %d %% of the sites have a plan", least)
	}
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
		if !isLeave(strings.Fields(d.text[at])) && d.text[at+uint64(d.sizes[at])] != "int3" {
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

// checkAgreement asks for the instruction before every few instructions, and for
// padding near it, as if a system call stood there: so often that a wrong
// agreement of the decodings would show. Where there are tables in the text, not
// pure, objdump sees branches in them.
func checkAgreement(t *testing.T, im *image, d *disassembly, pure bool) {
	asked, agreed, padded, wrong := 0, 0, 0, 0
	for addr, size := range d.sizes {
		// Alignment is no predecessor worth asking for.
		site := addr + uint64(size)
		if site%31 != 0 || d.sizes[site] == 0 || isPadding(d.text[addr]) {
			continue
		}
		x, ok := load(im, site)
		if !ok {
			continue
		}
		asked++
		if start, ok := x.previous(); ok {
			agreed++
			if got := x.base + uint64(start); got != addr {
				wrong++
				t.Logf("%x: %x, not %x: %s", site, got, addr, around(d, site))
			}
		}
		if p, ok := x.formE(Site{Addr: site}); ok && pure {
			padded++
			checkPlan(t, d, p)
		}
	}
	t.Logf("asked %d times: agreed %d, padding %d, wrong %d", asked, agreed, padded, wrong)
	if agreed*10 < asked*8 {
		t.Error("too few agreements")
	}
	// objdump can be wrong itself behind the tables in libcrypto.
	if wrong*10000 > agreed {
		t.Error("wrong agreements")
	}
}
