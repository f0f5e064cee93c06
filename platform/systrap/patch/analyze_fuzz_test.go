package patch

import (
	"bytes"
	"testing"
)

// FuzzAnalyze puts arbitrary bytes around a system call. Whatever they are, a
// plan stores within bounds, what is stored and the trampoline decode as jumps
// to where they should lead, and undoing leaves the text as it was.
func FuzzAnalyze(f *testing.F) {
	f.Add([]byte{0xb8, 39, 0, 0, 0}, []byte{0xc3}, uint64(39), uint16(page+17))
	f.Add([]byte{0x4c, 0x8b, 0x4c, 0x24, 0x08}, []byte{0x48, 0x3d, 1, 0xf0, 0xff, 0xff}, uint64(1), uint16(9))
	f.Add([]byte{0x89, 0xd0}, []byte{0xc3, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0, 0x0f, 0x1f, 0x40, 0}, uint64(1), uint16(page))
	f.Add([]byte{0x62, 0xf1, 0x7c, 0x48, 0x10, 0x05, 1, 2, 3, 4}, []byte{0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc}, uint64(0), uint16(600))
	f.Fuzz(func(t *testing.T, before, after []byte, number uint64, fill uint16) {
		m, at := codeAround()
		// Other lengths of what the pages begin with, and of what is there.
		at -= uint64(fill % page)
		m.b = m.b[:len(m.b)-int(fill/page)%3*page]
		middle := append(append(bytes.Clone(before), 0x0f, 0x05), after...)
		if n := copy(m.b[at-m.addr:], middle); n < len(before)+2 {
			return
		}
		check(t, m, Site{at + uint64(len(before)), number})
		decodeAll(t, middle)
	})
}

func decodeAll(t *testing.T, b []byte) {
	for i := range b {
		in := decode(b[i:])
		if in.size > len(b)-i || in.size > maxInsn || (in.kind == kindBad) != (in.size == 0) {
			t.Fatalf("% x: %+v", b[i:], in)
		}
		if in.ripAt != 0 && in.ripAt+4 > in.size {
			t.Fatalf("% x: the displacement is at %d of %d", b[i:], in.ripAt, in.size)
		}
	}
}

func check(t *testing.T, m *memory, s Site) {
	pristine := bytes.Clone(m.b)
	var set Set
	a := NewArena(0x800000, 256, 0, 0)
	// At last by the form that leaves the instruction, then by the other one.
	for range 3 {
		plan, ok := Analyze(set.Original(m), s)
		if !ok {
			break
		}
		p, ok := a.Place(&plan, 0x900000)
		if !ok {
			break
		}
		m.store(t, p.Stores)
		set.Add(p)
		checkPatch(t, m, p)
	}
	seen := bytes.Clone(m.b)
	if set.Overlay(m.addr, seen); !bytes.Equal(seen, pristine) {
		t.Fatal("the patches show")
	}
	for _, p := range set.All() {
		m.store(t, p.Undo())
	}
	if !bytes.Equal(m.b, pristine) {
		t.Fatal("undo leaves something behind")
	}
}

// checkPatch follows the jumps from the site.
func checkPatch(t *testing.T, m *memory, p *Patch) {
	t.Helper()
	at := p.Plan.At
	for hops := 0; at != p.Tramp; hops++ {
		in := decode(m.b[at-m.addr:])
		if in.kind != kindJump || hops > 1 {
			t.Fatalf("%x: %+v on the way to the trampoline %x", at, in, p.Tramp)
		}
		at += uint64(in.size) + uint64(in.rel)
	}
	code := p.Code
	if n := len(p.Plan.Moved); n > 0 {
		in := decode(code)
		if in.size != n || in.kind != kindPlain && in.kind != kindNop {
			t.Fatalf("moved % x: %+v", p.Plan.Moved, in)
		}
		code = code[n:]
	}
	lea := decode(code)
	if lea.size != leaSize || lea.ripAt != 3 {
		t.Fatalf("% x: %+v", code, lea)
	}
	if in := decode(code[leaSize:]); in.kind != kindJump {
		t.Fatalf("% x ends the trampoline", code[leaSize:])
	}
	for i := range p.Code {
		ip, ok := p.Resume(p.Tramp + uint64(i))
		if !ok || ip != p.Plan.At && ip != p.Plan.Site {
			t.Fatalf("resumes at %x", ip)
		}
	}
}
