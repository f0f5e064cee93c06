package arch

import (
	"bytes"
	"encoding/binary"
	"sync"
)

// vdsoTextOffset is where the code begins in the image; vdso_amd64.s has it too.
const vdsoTextOffset = 2048

// vdsoSymbols are the entries by mark. Each is exported a second time, weak,
// under its plain name.
var vdsoSymbols = [...]string{
	1: "clock_gettime", 2: "gettimeofday", 3: "time", 4: "getcpu", 5: "clock_getres",
}

// VDSO returns the image of the shared object that is mapped into every program,
// whole pages. VVARSize bytes of parameters belong directly before it.
func VDSO() []byte { return vdsoImage() }

// VDSOSymbol returns the offset in the image of a function, named without the
// prefix __vdso_, or 0.
func VDSOSymbol(name string) uint64 {
	_, offset, _ := vdsoFunctions()
	for n := 1; n < len(vdsoSymbols); n++ {
		if vdsoSymbols[n] == name {
			return uint64(vdsoTextOffset + offset[n])
		}
	}
	return 0
}

var vdsoImage = sync.OnceValue(buildVDSO)

// vdsoMark is what precedes entry n in the code.
func vdsoMark(n int) []byte {
	return []byte{0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xf4, 'v', 'd', 's', 'o', 0xf4, byte(n), 0xcc}
}

// vdsoFunctions returns the code and the offset and size of each entry.
func vdsoFunctions() (code []byte, offset, size []int) {
	text := vdsoText(2048)
	offset = make([]int, len(vdsoSymbols))
	size = make([]int, len(vdsoSymbols))
	for n := 1; n <= len(vdsoSymbols); n++ {
		mark := vdsoMark(n)
		at := bytes.Index(text, mark)
		if n > 1 {
			size[n-1] = at - offset[n-1]
		}
		if n == len(vdsoSymbols) {
			return append([]byte(nil), text[:at]...), offset, size
		}
		offset[n] = at + len(mark)
	}
	return nil, nil, nil
}

// elfWriter lays the parts of the image one after another.
type elfWriter struct {
	b []byte
}

func (w *elfWriter) align(n int) int {
	for len(w.b)%n != 0 {
		w.b = append(w.b, 0)
	}
	return len(w.b)
}

func (w *elfWriter) u16(v ...uint16) {
	for _, x := range v {
		w.b = binary.LittleEndian.AppendUint16(w.b, x)
	}
}

func (w *elfWriter) u32(v ...uint32) {
	for _, x := range v {
		w.b = binary.LittleEndian.AppendUint32(w.b, x)
	}
}

func (w *elfWriter) u64(v ...uint64) {
	for _, x := range v {
		w.b = binary.LittleEndian.AppendUint64(w.b, x)
	}
}

// stringTable is an ELF string table under construction.
type stringTable struct{ b []byte }

func (t *stringTable) add(s string) uint32 {
	if len(t.b) == 0 {
		t.b = append(t.b, 0)
	}
	at := len(t.b)
	t.b = append(append(t.b, s...), 0)
	return uint32(at)
}

// Names and versions.
const (
	vdsoName    = "linux-vdso.so.1"
	vdsoVersion = "LINUX_2.6"
)

type vdsoSymbol struct {
	name        string
	value, size uint64
	weak        bool
}

func buildVDSO() []byte {
	code, offset, size := vdsoFunctions()
	var symbols []vdsoSymbol
	for n := 1; n < len(vdsoSymbols); n++ {
		s := vdsoSymbol{"__vdso_" + vdsoSymbols[n], uint64(vdsoTextOffset + offset[n]), uint64(size[n]), false}
		symbols = append(symbols, s)
		s.name, s.weak = vdsoSymbols[n], true
		symbols = append(symbols, s)
	}

	const phnum = 3
	w := &elfWriter{b: make([]byte, 64+56*phnum, 4096)}
	var strs stringTable
	soname, version := strs.add(vdsoName), strs.add(vdsoVersion)

	symtab := w.align(8)
	w.u64(0, 0, 0)
	for _, s := range symbols {
		info := byte(0x12) // STB_GLOBAL, STT_FUNC
		if s.weak {
			info = 0x22
		}
		w.u32(strs.add(s.name))
		w.b = append(w.b, info, 0)
		w.u16(1) // any section but SHN_UNDEF: there are no section headers
		w.u64(s.value, s.size)
	}
	hash := w.align(8)
	w.sysvHash(symbols)
	gnu := w.align(8)
	w.gnuHash(symbols)
	versym := w.align(2)
	w.u16(0)
	for range symbols {
		w.u16(2)
	}
	verdef := w.align(8)
	w.versions(soname, version)
	strtab := len(w.b)
	w.b = append(w.b, strs.b...)
	dynamic := w.align(8)
	w.u64(
		14, uint64(soname), // DT_SONAME
		4, uint64(hash), // DT_HASH
		0x6ffffef5, uint64(gnu), // DT_GNU_HASH
		5, uint64(strtab), // DT_STRTAB
		6, uint64(symtab), // DT_SYMTAB
		10, uint64(len(strs.b)), // DT_STRSZ
		11, 24, // DT_SYMENT
		0x6ffffff0, uint64(versym), // DT_VERSYM
		0x6ffffffc, uint64(verdef), // DT_VERDEF
		0x6ffffffd, 2, // DT_VERDEFNUM
		0, 0,
	)
	dynamicSize := len(w.b) - dynamic
	ehHeader, ehSize := w.unwind(len(code))
	w.b = append(w.b, make([]byte, vdsoTextOffset-len(w.b))...)
	w.b = append(w.b, code...)
	w.align(4096)
	total := uint64(len(w.b))

	h := &elfWriter{b: w.b[:0]}
	h.b = append(h.b, "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	h.u16(3, 62) // ET_DYN, EM_X86_64
	h.u32(1)
	h.u64(vdsoTextOffset, 64, 0)
	h.u32(0)
	h.u16(64, 56, phnum, 64, 0, 0)
	h.segment(1, 5, 0, total, 4096)                               // PT_LOAD R+X
	h.segment(2, 4, uint64(dynamic), uint64(dynamicSize), 8)      // PT_DYNAMIC
	h.segment(0x6474e550, 4, uint64(ehHeader), uint64(ehSize), 4) // PT_GNU_EH_FRAME
	return w.b
}

func (w *elfWriter) segment(kind, flags uint32, offset, size, align uint64) {
	w.u32(kind, flags)
	w.u64(offset, offset, offset, size, size, align)
}

// sysvHash writes a System V hash table with one bucket.
func (w *elfWriter) sysvHash(symbols []vdsoSymbol) {
	n := uint32(len(symbols) + 1)
	w.u32(1, n, 1, 0) // buckets, chains, bucket 0 -> symbol 1, chain[0]
	for i := uint32(1); i < n; i++ {
		next := i + 1
		if next == n {
			next = 0
		}
		w.u32(next)
	}
}

// gnuHash writes a GNU hash table with one bucket and a filter that lets all
// names pass.
func (w *elfWriter) gnuHash(symbols []vdsoSymbol) {
	w.u32(1, 1, 1, 0) // buckets, first symbol, filter words, shift
	w.u64(^uint64(0))
	w.u32(1)
	for i, s := range symbols {
		h := uint32(5381)
		for _, c := range []byte(s.name) {
			h = h*33 + uint32(c)
		}
		h &^= 1
		if i == len(symbols)-1 {
			h |= 1
		}
		w.u32(h)
	}
}

// versions writes the definitions of the object's own name and of vdsoVersion.
func (w *elfWriter) versions(soname, version uint32) {
	const entry = 20 + 8
	w.u16(1, 1, 1, 1) // version, VER_FLG_BASE, index, names
	w.u32(elfHash(vdsoName), 20, entry, soname, 0)
	w.u16(1, 0, 2, 1)
	w.u32(elfHash(vdsoVersion), 20, 0, version, 0)
}

// elfHash is the hash of System V symbol tables and versions.
func elfHash(s string) uint32 {
	var h uint32
	for _, c := range []byte(s) {
		h = h<<4 + uint32(c)
		h ^= h >> 24 & 0xf0
	}
	return h & 0x0fffffff
}

// unwind writes call frame information for the code, which never moves the stack
// pointer, and the header that finds it. It returns where the header is.
func (w *elfWriter) unwind(codeSize int) (header, size int) {
	header = w.align(4)
	frame := header + 20
	rel := func(to, at int) uint32 { return uint32(int32(to - at)) }
	fde := frame + 4 + 20
	w.b = append(w.b, 1, 0x1b, 0x03, 0x3b) // version, pcrel sdata4, udata4, datarel sdata4
	w.u32(rel(frame, header+4), 1, rel(vdsoTextOffset, header), rel(fde, header))

	w.u32(20, 0) // CIE
	w.b = append(w.b, 1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x1b,
		0x0c, 7, 8, // DW_CFA_def_cfa rsp+8
		0x80|16, 1, // DW_CFA_offset rip at cfa-8
		0, 0)
	w.u32(16, uint32(fde+4-frame)) // FDE
	w.u32(rel(vdsoTextOffset, fde+8), uint32(codeSize))
	w.b = append(w.b, 0, 0, 0, 0) // no augmentation; padding
	w.u32(0)
	return header, 20
}
