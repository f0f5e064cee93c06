package patch

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSharedPlans asks for plans wherever the bytes of a system call stand, and in
// the middle of instructions as if they did, as a guest may who jumps there.
func TestSharedPlans(t *testing.T) {
	for _, f := range installed {
		t.Run(filepath.Base(f.path), func(t *testing.T) {
			if _, err := os.Stat(f.path); err != nil {
				t.Skip(err)
			}
			im, d := loadImage(t, f.path), disassemble(t, f.path)
			checkShared(t, im, d, max(0, f.min-4))
			checkMiddles(t, im, d, f.min > 0)
		})
	}
	t.Run("go", func(t *testing.T) {
		path := goBuild(t, httpGo)
		checkShared(t, loadImage(t, path), disassemble(t, path), 90)
	})
}

func checkShared(t *testing.T, im *image, d *disassembly, least int) {
	found, real := 0, 0
	for _, s := range im.segs {
		for i := 0; i+1 < len(s.b); i++ {
			if s.b[i] != 0x0f || s.b[i+1] != 0x05 {
				continue
			}
			addr := s.addr + uint64(i)
			is := strings.TrimSpace(d.text[addr]) == "syscall"
			if is {
				real++
			}
			p, ok := AnalyzeShared(im, addr)
			switch {
			case !ok:
				continue
			case !is:
				t.Errorf("%x: a patch of %s", addr, around(d, addr))
			case !p.Atomic():
				t.Errorf("%x: a patch in more than one store", addr)
			}
			found++
			checkPlan(t, d, p)
		}
	}
	t.Logf("%d of %d", found, real)
	if found*100 < real*least {
		t.Errorf("fewer than %d %% of the sites have a plan", least)
	}
}

// dataNear says whether what objdump takes for instructions around addr is rather a
// table among them: there are bytes that make none, or zeros.
func dataNear(d *disassembly, addr uint64) bool {
	for at := addr - 64; at < addr+64; at++ {
		if text := d.text[at]; strings.Contains(text, "(bad)") || strings.HasPrefix(text, "add    %al,(%rax)") {
			return true
		}
	}
	return false
}

// checkMiddles looks for boundaries in the middle of instructions.
func checkMiddles(t *testing.T, im *image, d *disassembly, pure bool) {
	asked, wrong := 0, 0
	for addr, size := range d.sizes {
		if size < 2 || addr%127 != 0 || dataNear(d, addr) {
			continue
		}
		for site := addr + 1; site < addr+uint64(size); site++ {
			x, ok := load(im, site)
			if !ok {
				continue
			}
			asked++
			if _, ok := x.previous(); ok {
				wrong++
				t.Logf("%x: in the middle of %s", site, around(d, addr))
			}
		}
	}
	t.Logf("asked %d times, wrong %d", asked, wrong)
	if pure && wrong > 0 || wrong*10000 > asked {
		t.Error("too many")
	}
}

// TestSharedPlanIsTheTexts has a guest lie about its call.
func TestSharedPlanIsTheTexts(t *testing.T) {
	// mov $39, %eax; syscall; ret; nop, again and again; and then the same bytes
	// as an operand.
	call := []byte{0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0}
	b := bytes.Repeat(call, 3*page/16)
	m := &image{segs: []segment{{addr: 0x40000000, b: b}}}
	at := uint64(0x40000000 + page + 64)
	if p, ok := AnalyzeShared(m, at+5); !ok || p.At != at || p.Form != FormA {
		t.Fatalf("%+v %v", p, ok)
	}
	for _, not := range []uint64{at, at + 1, at + 4, at + 6, at + 8} {
		if p, ok := AnalyzeShared(m, not); ok {
			t.Errorf("at %d: %+v", not-at, p)
		}
	}
	// movabs $0x050f00000027b8.., %rcx
	hidden := append([]byte{0x48, 0xb9, 0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0}, 0x90, 0x90)
	copy(b[page+64:], hidden)
	if p, ok := AnalyzeShared(m, at+7); ok {
		t.Errorf("in an operand: %+v", p)
	}
	if _, ok := Analyze(m, Site{Addr: at + 7, Number: 39}); !ok {
		t.Log("nor does the number make a difference any more")
	}
	copy(b[page+64:], call)
	binary.LittleEndian.PutUint32(b[page+65:], Sigreturn)
	if p, ok := AnalyzeShared(m, at+5); ok {
		t.Errorf("the way back from signals: %+v", p)
	}
}
