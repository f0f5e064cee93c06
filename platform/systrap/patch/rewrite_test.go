package patch

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// entrySize is the room for one site's entry routine. Each site has its own,
// since a real system call would lose the address in rcx.
const entrySize = 64

// far puts the entry routines out of reach of a jump from the trampolines.
const far = 1 << 36

// A rewritten file has all its sites patched, the trampolines and the entry
// routines in segments of their own.
type rewritten struct {
	path    string
	sites   int
	patches []*Patch
	bias    uint64
	// entries and arena are where the new code is.
	entries, arena, end uint64
}

// entryCode is what runs instead of the kernel's entry: it checks the address
// in rcx, makes the system call, and loses all that it may lose.
func entryCode(_, back uint64) []byte {
	c := []byte{0x49, 0xbb} // mov $back, %r11, as far entries reach nothing
	c = binary.LittleEndian.AppendUint64(c, back)
	c = append(c,
		0x49, 0x39, 0xcb, // cmp %rcx, %r11
		0x74, 0x02, // je
		0x0f, 0x0b, // ud2
		0x0f, 0x05, // syscall
		0x48, 0xb9) // mov $back, %rcx
	c = binary.LittleEndian.AppendUint64(c, back)
	c = append(c,
		0x49, 0xc7, 0xc3, 0xef, 0xbe, 0xad, 0xde, // mov $0xdeadbeef, %r11
		0x49, 0x83, 0xc3, 0x7f) // add $0x7f, %r11
	return append(c, 0xff, 0xe1) // jmp *%rcx
}

// relativeEntry is entryCode for files that may be loaded anywhere.
func relativeEntry(at, back uint64) []byte {
	var c []byte
	lea := func(op ...byte) {
		c = append(c, op...)
		c = binary.LittleEndian.AppendUint32(c, uint32(back-(at+uint64(len(c))+4)))
	}
	lea(0x4c, 0x8d, 0x1d) // lea back(%rip), %r11
	c = append(c, 0x49, 0x39, 0xcb, 0x74, 0x02, 0x0f, 0x0b, 0x0f, 0x05)
	lea(0x48, 0x8d, 0x0d) // lea back(%rip), %rcx
	return append(c, 0x49, 0xc7, 0xc3, 0xef, 0xbe, 0xad, 0xde, 0x49, 0x83, 0xc3, 0x7f, 0xff, 0xe1)
}

// rewrite patches every site of the file at path that has a plan.
func rewrite(t testing.TB, path, out string, farEntry bool) *rewritten {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	im, d := loadImage(t, path), disassemble(t, path)
	end := uint64(0)
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD {
			end = max(end, p.Vaddr+p.Memsz)
		}
	}
	const align = 1 << 16
	r := &rewritten{path: out, sites: len(d.sites), bias: im.bias}
	r.entries = im.bias + (end+2*align-1)&^(align-1)
	r.arena = r.entries + (uint64(len(d.sites)*entrySize)+page-1)&^(page-1)
	if farEntry {
		r.arena, r.entries = r.entries, far
	}
	arena := NewArena(r.arena, uint64(len(d.sites))*64, 0, 0)
	entries := make([]byte, len(d.sites)*entrySize)
	var set Set
	for i, s := range d.sites {
		s.Number = number(im, s.Addr)
		p, ok := Analyze(set.Original(im), s)
		if !ok {
			continue
		}
		at := r.entries + uint64(i*entrySize)
		x, ok := arena.Place(&p, at)
		if !ok {
			t.Fatalf("%x: no trampoline", s.Addr)
		}
		code := relativeEntry
		if farEntry {
			code = entryCode
		}
		copy(entries[i*entrySize:], code(at, s.Addr+syscallSize))
		for _, st := range x.Stores {
			var old [32]byte
			if n := im.Read(st.Addr, old[:len(st.Old)]); !bytes.Equal(old[:n], st.Old) {
				t.Fatalf("%x: %x is not there, but %x", st.Addr, st.Old, old[:n])
			}
			im.write(st.Addr, st.New)
		}
		r.patches = append(r.patches, x)
		set.Add(x)
	}
	tramps := make([]byte, arena.Used())
	for _, x := range r.patches {
		copy(tramps[x.Tramp-r.arena:], x.Code)
	}
	r.end = r.arena + uint64(len(tramps))
	for _, s := range im.segs {
		copy(data[s.prog.Off:], s.b[s.lead:s.lead+s.prog.Filesz])
	}
	if farEntry {
		data = addSegment(t, f, data, r.arena, tramps)
		if f, err = elf.NewFile(bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
		data = addSegment(t, f, data, r.entries, entries)
	} else {
		both := append(make([]byte, 0, r.end-r.entries), entries...)
		both = append(both, make([]byte, int(r.arena-r.entries)-len(both))...)
		data = addSegment(t, f, data, r.entries-im.bias, append(both, tramps...))
	}
	if err := os.WriteFile(out, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return r
}

// addSegment adds b to an ELF file, executable at addr. The header of a segment
// that a program can do without becomes its header, behind the last of those
// that are loaded.
func addSegment(t testing.TB, f *elf.File, data []byte, addr uint64, b []byte) []byte {
	t.Helper()
	const size = 56 // of a program header
	phoff := binary.LittleEndian.Uint64(data[32:])
	give, last := -1, -1
	for _, want := range []elf.ProgType{elf.PT_NOTE, elf.PT_GNU_PROPERTY, elf.PT_GNU_STACK} {
		give = slices.IndexFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == want })
		if give >= 0 {
			break
		}
	}
	for i, p := range f.Progs {
		if p.Type == elf.PT_LOAD {
			last = i
		}
	}
	if give < 0 {
		t.Fatal("no program header to spare")
	}
	data = append(data, make([]byte, -len(data)&(page-1))...)
	h := make([]byte, size)
	binary.LittleEndian.PutUint32(h, uint32(elf.PT_LOAD))
	binary.LittleEndian.PutUint32(h[4:], uint32(elf.PF_R|elf.PF_X))
	for i, v := range []uint64{uint64(len(data)), addr, addr, uint64(len(b)), uint64(len(b)), page} {
		binary.LittleEndian.PutUint64(h[8+8*i:], v)
	}
	table := data[phoff : phoff+uint64(size*len(f.Progs))]
	rest := slices.Delete(slices.Clone(table), give*size, (give+1)*size)
	if give < last {
		last--
	}
	copy(table, slices.Insert(rest, (last+1)*size, h...))
	return append(data, b...)
}

func TestRewriteKeepsFormat(t *testing.T) {
	path := compile(t, "prog", threadsC, "gcc", "-static")
	r := rewrite(t, path, filepath.Join(t.TempDir(), "prog"), false)
	f, err := elf.Open(r.path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	im := loadImage(t, r.path)
	for _, x := range r.patches {
		for _, s := range x.Stores {
			b := make([]byte, len(s.New))
			if im.Read(s.Addr, b); !bytes.Equal(b, s.New) {
				t.Fatalf("%x: %x stored, %x there", s.Addr, s.New, b)
			}
		}
		b := make([]byte, len(x.Code))
		if im.Read(x.Tramp, b); !bytes.Equal(b, x.Code) {
			t.Fatalf("%x: the trampoline is not there", x.Tramp)
		}
	}
}
