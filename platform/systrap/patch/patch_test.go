package patch

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// memory is a Code of one region.
type memory struct {
	addr uint64
	b    []byte
}

func (m *memory) Read(addr uint64, b []byte) int {
	if off := addr - m.addr; off < uint64(len(m.b)) {
		return copy(b, m.b[off:])
	}
	return 0
}

func (m *memory) store(t *testing.T, stores []Store) {
	t.Helper()
	for _, s := range stores {
		at := m.b[s.Addr-m.addr:]
		if !bytes.Equal(at[:len(s.Old)], s.Old) {
			t.Fatalf("%x: %x is not there but %x", s.Addr, s.Old, at[:len(s.Old)])
		}
		copy(at, s.New)
	}
}

const textAt = 0x401000

// text returns three pages of plausible code with middle in it, and where that
// begins. What stands around are instructions of different lengths.
func codeAround(middle ...byte) (*memory, uint64) {
	filler := []byte{
		0x48, 0x89, 0xc3, // mov %rax, %rbx
		0x85, 0xc0, // test %eax, %eax
		0x48, 0x8b, 0x44, 0x24, 0x08, // mov 8(%rsp), %rax
		0xff, 0xc1, // inc %ecx
		0x55, // push %rbp
		0x5d, // pop %rbp
	}
	m := &memory{addr: textAt}
	for len(m.b)+len(filler) <= page+128 {
		m.b = append(m.b, filler...)
	}
	at := m.addr + uint64(len(m.b))
	m.b = append(m.b, middle...)
	for len(m.b)+len(filler) <= 3*page {
		m.b = append(m.b, filler...)
	}
	for len(m.b) < 3*page {
		m.b = append(m.b, 0x50)
	}
	return m, at
}

// analyze finds the plan of the first system call in middle.
func analyze(t *testing.T, number uint64, middle ...byte) (*memory, uint64, Plan, bool) {
	t.Helper()
	m, at := codeAround(middle...)
	i := bytes.Index(middle, []byte{0x0f, 0x05})
	if i < 0 {
		t.Fatal("no system call")
	}
	site := at + uint64(i)
	p, ok := Analyze(m, Site{site, number})
	if ok && p.Site != site {
		t.Fatalf("the plan is for %x, not %x", p.Site, site)
	}
	return m, site, p, ok
}

func TestAnalyzeFormA(t *testing.T) {
	for _, c := range []struct {
		name   string
		number uint64
		code   []byte
		moved  int // bytes of the instruction, 0 for no plan
	}{
		{"mov_imm32", 39, []byte{0xb8, 39, 0, 0, 0, 0x0f, 0x05}, 5},
		{"mov_imm32_rex", 39, []byte{0x48, 0xc7, 0xc0, 39, 0, 0, 0, 0x0f, 0x05}, 7},
		{"mov_imm_other_register", 9, []byte{0x41, 0xb8, 9, 0, 0, 0, 0x0f, 0x05}, 6},
		{"libc_syscall", 1, []byte{0x4c, 0x8b, 0x4c, 0x24, 0x08, 0x0f, 0x05}, 5},
		{"short_before", 1, []byte{0x89, 0xd0, 0x0f, 0x05}, 0},
		{"call_before", 1, []byte{0xe8, 0, 0, 1, 0, 0x0f, 0x05}, 0},
		{"rt_sigreturn", 15, []byte{0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05}, 0},
		{"restorer_with_other_number", 39, []byte{0xb8, 15, 0, 0, 0, 0x0f, 0x05}, 0},
		{"jump_into_it", 39, []byte{0xeb, 0x01, 0xb8, 39, 0, 0, 0, 0x0f, 0x05}, 0},
		{"jump_back_into_it", 39, []byte{0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0x74, 0xf8}, 0},
		{"far_jump_into_it", 39, []byte{0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0x0f, 0x84, 0xf5, 0xff, 0xff, 0xff}, 0},
		{"address_in_it_taken", 39, []byte{0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0x48, 0x8d, 0x3d, 0xf5, 0xff, 0xff, 0xff}, 0},
		{"jump_to_it", 39, []byte{0x74, 0x00, 0xb8, 39, 0, 0, 0, 0x0f, 0x05}, 5},
		{"jump_to_the_call", 39, []byte{0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0x74, 0xfc}, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, site, p, ok := analyze(t, c.number, c.code...)
			switch {
			case !ok && c.moved != 0:
				t.Error("no plan")
			case ok && c.moved == 0:
				t.Errorf("a plan of form %c at %x", p.Form, p.At)
			case ok && (p.Form != FormA || len(p.Moved) != c.moved || p.At != site-uint64(c.moved)):
				t.Errorf("form %c at %x moves % x", p.Form, p.At, p.Moved)
			}
		})
	}
}

func TestAnalyzeFormE(t *testing.T) {
	nop8 := []byte{0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0}
	traps := bytes.Repeat([]byte{0xcc}, 8)
	// pad returns code that ends with padding up to an aligned address.
	pad := func(before []byte, padding []byte) []byte {
		_, at := codeAround()
		b := []byte{0x89, 0xd0, 0x0f, 0x05}
		for (at+uint64(len(b)+len(before)+len(padding)))%16 != 0 {
			b = append(b, 0xf8) // clc
		}
		return append(append(b, before...), padding...)
	}
	for _, c := range []struct {
		name string
		code []byte
		ok   bool
	}{
		{"behind_ret", pad([]byte{0xc3}, nop8), true},
		{"behind_jmp", pad([]byte{0xeb, 0x40}, nop8), true},
		{"behind_jmp_register", pad([]byte{0xff, 0xe0}, nop8), true},
		{"int3", pad([]byte{0xc3}, traps), true},
		{"reached", pad([]byte{0x5d}, nop8), false},
		{"behind_a_branch", pad([]byte{0x74, 0x40}, nop8), false},
		{"behind_a_call", pad([]byte{0xe8, 0, 0, 1, 0}, nop8), false},
		{"behind_c3_of_another", pad([]byte{0x48, 0x89, 0xc3}, nop8), false},
		{"branch_to_it", pad([]byte{0x74, 0x01, 0xc3}, nop8), false},
		{"branch_into_it", pad([]byte{0x74, 0x05, 0xc3}, nop8), false},
		{"too_short", pad([]byte{0xc3}, nop8[:0:0]), false},
		{"not_aligned", append(pad([]byte{0xc3}, nop8[:0:0]), 0x0f, 0x1f, 0x44, 0, 0), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, site, p, ok := analyze(t, 1, c.code...)
			if ok != c.ok {
				t.Fatalf("a plan: %v", ok)
			}
			if ok && (p.Form != FormE || p.At != site || len(p.Stores) != 2 || p.Stores[1].Addr != site || !p.Stores[0].Unreached) {
				t.Errorf("%+v", p)
			}
		})
	}
}

// TestNoAgreement shows that form A needs more than one reading of the bytes
// where the instruction does not load the number.
func TestNoAgreement(t *testing.T) {
	// Only bytes that are no instructions stand before it, but for the first.
	m, at := codeAround(0x4c, 0x8b, 0x4c, 0x24, 0x08, 0x0f, 0x05)
	off := int(at - m.addr)
	for i := range m.b[:off] {
		m.b[i] = 0x06
	}
	if p, ok := Analyze(m, Site{at + 5, 1}); ok {
		t.Errorf("a plan of form %c behind no code", p.Form)
	}
	// Bytes that swallow each other: every second reading is another.
	for i := range m.b[:off] {
		m.b[i] = 0x6a
	}
	if off%2 == 0 {
		m.b[off-1] = 0x06
	}
	if p, ok := Analyze(m, Site{at + 5, 1}); ok {
		t.Errorf("a plan of form %c though the decodings disagree", p.Form)
	}
	// Then only what loads the number counts.
	copy(m.b[off:], []byte{0xb8, 39, 0, 0, 0, 0x0f, 0x05})
	if _, ok := Analyze(m, Site{at + 5, 39}); !ok {
		t.Error("no plan where the number is loaded")
	}
	if _, ok := Analyze(m, Site{at + 5, 40}); ok {
		t.Error("a plan where another number is loaded")
	}
}

func TestEmit(t *testing.T) {
	// mov 0x1234(%rip), %r9
	_, site, p, ok := analyze(t, 1, 0x4c, 0x8b, 0x0d, 0x34, 0x12, 0, 0, 0x0f, 0x05)
	if !ok || p.Form != FormA || p.MovedRIP != 3 {
		t.Fatalf("%v %+v", ok, p)
	}
	refers := p.At + 7 + 0x1234
	for _, c := range []struct {
		name         string
		tramp, entry uint64
		ok           bool
	}{
		{"near", textAt + 1<<20, textAt + 1<<21, true},
		{"near_before", textAt - 1<<20, textAt - 1<<21, true},
		{"far_entry", textAt + 1<<20, 1 << 46, true},
		{"edge", textAt + 1<<31 - 1<<14, 1 << 46, true},
		{"out_of_reach", textAt + 1<<31 + 1<<14, 1 << 46, false},
		{"high", 1 << 46, 1<<46 + 4096, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			stores, code, ok := p.Emit(c.tramp, c.entry)
			if ok != c.ok || !ok {
				if ok != c.ok {
					t.Errorf("emitted: %v", ok)
				}
				return
			}
			if len(code) != p.Size || len(stores) != 1 || len(stores[0].New) != len(stores[0].Old) {
				t.Fatalf("%d bytes of %d, %d stores", len(code), p.Size, len(stores))
			}
			rel := func(b []byte, end uint64) uint64 { return end + uint64(int64(int32(binary.LittleEndian.Uint32(b)))) }
			if to := rel(stores[0].New[1:], p.At+5); stores[0].New[0] != 0xe9 || to != c.tramp {
				t.Errorf("the site leads to %x", to)
			}
			if to := rel(code[3:], c.tramp+7); to != refers {
				t.Errorf("the moved instruction refers to %x, not %x", to, refers)
			}
			if to := rel(code[10:], c.tramp+14); !bytes.Equal(code[7:10], []byte{0x48, 0x8d, 0x0d}) || to != site+2 {
				t.Errorf("rcx becomes %x", to)
			}
			entry := uint64(0)
			if code[14] == 0xe9 {
				entry = rel(code[15:], c.tramp+19)
			} else if bytes.Equal(code[14:20], []byte{0xff, 0x25, 0, 0, 0, 0}) {
				entry = binary.LittleEndian.Uint64(code[20:])
			}
			if entry != c.entry {
				t.Errorf("ends at %x: % x", entry, code[14:])
			}
		})
	}
}

func TestStoreIsAtomic(t *testing.T) {
	for _, c := range []struct {
		addr         uint64
		n            int
		atomic, word bool
	}{
		{0x1000, 8, true, true},
		{0x1001, 8, true, false},
		{0x1003, 5, true, true},
		{0x1004, 5, true, false},
		{0x103b, 5, true, true},
		{0x103c, 5, false, false},
		{0x103f, 2, false, false},
		{0x1000, 9, false, false},
	} {
		if s := newStore(c.addr, make([]byte, c.n)); s.Atomic != c.atomic || s.Word != c.word {
			t.Errorf("%d bytes at %x: %v %v", c.n, c.addr, s.Atomic, s.Word)
		}
	}
}

func TestSet(t *testing.T) {
	// Two system calls of form E share padding, a third one is of form A, and
	// then its syscall is hot by itself.
	_, at := codeAround()
	var code []byte
	for ; (at+8)%lineSize != 0; at++ {
		code = append(code, 0xf8) // clc
	}
	code = append(code, 0x89, 0xd0, 0x0f, 0x05, 0x89, 0xd8, 0x0f, 0x05, 0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3)
	sites := []uint64{at + 2, at + 6, at + 13, at + 13}
	for n := 15; n > 0 || len(code)%16 != 0; n-- {
		code = append(code, 0xcc)
	}
	m, _ := codeAround(code...)
	pristine := bytes.Clone(m.b)
	var set Set
	a := NewArena(0x500000, 144, 0, 0)
	for i, s := range sites {
		plan, ok := Analyze(set.Original(m), Site{s, 39})
		if !ok {
			t.Fatalf("site %d has no plan", i)
		}
		p, ok := a.Place(&plan, 0x600000)
		if !ok {
			t.Fatalf("no room for %d", i)
		}
		m.store(t, p.Stores)
		set.Add(p)
	}
	if a.Count() != 4 || a.Room() >= 32 || set.Len() != 4 {
		t.Errorf("%d trampolines, %d of 144 bytes left, %d patches", a.Count(), a.Room(), set.Len())
	}
	plan := set.All()[0].Plan
	if _, ok := a.Place(&plan, 0x600000); ok || a.Count() != 4 {
		t.Error("placed in a full arena")
	}
	if _, ok := Analyze(set.Original(m), Site{sites[0], 39}); ok {
		t.Error("a plan for a site that is patched")
	}
	seen := bytes.Clone(m.b)
	set.Overlay(m.addr, seen)
	if !bytes.Equal(seen, pristine) {
		t.Error("the patches show")
	}
	for _, p := range set.All() {
		if at, ok := set.Resume(p.Tramp); !ok || at != p.Plan.At {
			t.Errorf("%x resumes at %x", p.Tramp, at)
		}
		if at, ok := set.Resume(p.Tramp + uint64(len(p.Plan.Moved)) + leaSize); !ok || at != p.Plan.Site {
			t.Errorf("%x resumes at %x", p.Tramp, at)
		}
		if at, ok := set.Resume(p.Stores[0].Addr); p.Plan.Form == FormE && (!ok || at != p.Plan.Site) {
			t.Errorf("padding %x resumes at %x", p.Stores[0].Addr, at)
		}
	}
	if _, ok := set.Resume(at); ok {
		t.Error("resumes where no patch is")
	}
	fork := set.Clone()
	// In the order in which they came: each must be independent of the others.
	for _, p := range set.In(m.addr, m.addr+3*page) {
		m.store(t, p.Undo())
		set.Remove(p)
	}
	if !bytes.Equal(m.b, pristine) || set.Len() != 0 {
		t.Error("undo leaves something behind")
	}
	if fork.Len() != 4 || len(fork.In(m.addr, m.addr+3*page)) != 4 {
		t.Error("the copy changed with the set")
	}
}
