package loader

import (
	"encoding/binary"
	"math"

	"cordon/internal/linux"
)

const pageSize = 4096

// Bounds on what a program header table may ask for.
const (
	maxPhdrs     = 65536 / phdrSize // Linux: load_elf_phdrs, 64 KiB
	maxInterpLen = 4096             // PATH_MAX
	ehdrSize     = 64
	phdrSize     = 56
)

// A phdr is one program header (elf(5)).
type phdr struct {
	typ, flags                                 uint32
	offset, vaddr, paddr, filesz, memsz, align uint64
}

// A program is a parsed ELF executable or shared object.
type program struct {
	dyn     bool // ET_DYN: goes anywhere
	entry   uint64
	phoff   uint64
	phnum   int
	phdrs   []phdr
	interp  string // PT_INTERP, empty if none
	stackX  bool   // PT_GNU_STACK asks for an executable stack
	hasStk  bool
	loadMin uint64 // page-aligned extent of the PT_LOADs
	loadMax uint64
	align   uint64
}

// A reader reads a file at an offset, fully or not at all.
type reader interface {
	readFull(p []byte, off uint64) error
}

// parseELF reads the headers. head is the start of the file, at least
// ehdrSize bytes. Anything that is no amd64 executable is ENOEXEC.
func parseELF(head []byte, r reader) (*program, error) {
	if len(head) < ehdrSize || string(head[:4]) != "\x7fELF" ||
		head[4] != 2 || head[5] != 1 { // 64-bit, little-endian
		return nil, linux.ENOEXEC
	}
	le := binary.LittleEndian
	typ, machine := le.Uint16(head[16:]), le.Uint16(head[18:])
	const etExec, etDyn, emAMD64 = 2, 3, 62
	if typ != etExec && typ != etDyn || machine != emAMD64 {
		return nil, linux.ENOEXEC
	}
	p := &program{
		dyn: typ == etDyn, entry: le.Uint64(head[24:]), phoff: le.Uint64(head[32:]),
		phnum: int(le.Uint16(head[56:])), align: pageSize, loadMin: math.MaxUint64,
	}
	if le.Uint16(head[54:]) != phdrSize || p.phnum == 0 || p.phnum > maxPhdrs {
		return nil, linux.ENOEXEC
	}
	raw := make([]byte, p.phnum*phdrSize)
	if err := r.readFull(raw, p.phoff); err != nil {
		return nil, err
	}
	for i := range p.phnum {
		b := raw[i*phdrSize:]
		h := phdr{
			typ: le.Uint32(b), flags: le.Uint32(b[4:]), offset: le.Uint64(b[8:]), vaddr: le.Uint64(b[16:]),
			paddr: le.Uint64(b[24:]), filesz: le.Uint64(b[32:]), memsz: le.Uint64(b[40:]), align: le.Uint64(b[48:]),
		}
		if err := p.take(&h, r); err != nil {
			return nil, err
		}
		p.phdrs = append(p.phdrs, h)
	}
	if p.loadMax == 0 {
		return nil, linux.ENOEXEC
	}
	return p, nil
}

const (
	ptLoad     = 1
	ptInterp   = 3
	ptGNUStack = 0x6474e551
	pfX        = 1
	pfW        = 2
	pfR        = 4
)

func (p *program) take(h *phdr, r reader) error {
	switch h.typ {
	case ptLoad:
		if h.memsz == 0 {
			return nil
		}
		end := h.vaddr + h.memsz
		if h.filesz > h.memsz || end < h.vaddr || end > maxVaddr || h.offset+h.filesz < h.offset ||
			h.offset%pageSize != h.vaddr%pageSize {
			return linux.ENOEXEC
		}
		start := h.vaddr &^ (pageSize - 1)
		if p.loadMax != 0 && start < p.loadMax&^(pageSize-1) && start < p.loadMin {
			return linux.ENOEXEC
		}
		p.loadMin = min(p.loadMin, start)
		p.loadMax = max(p.loadMax, roundUp(end))
		if a := h.align; a&(a-1) == 0 && a > p.align && a <= maxAlign {
			p.align = a
		}
	case ptInterp:
		if p.interp != "" {
			return nil
		}
		if h.filesz < 2 || h.filesz > maxInterpLen {
			return linux.ENOEXEC
		}
		b := make([]byte, h.filesz)
		if err := r.readFull(b, h.offset); err != nil {
			return err
		}
		if b[len(b)-1] != 0 {
			return linux.ENOEXEC
		}
		p.interp = string(b[:cstrlen(b)])
	case ptGNUStack:
		p.hasStk, p.stackX = true, h.flags&pfX != 0
	}
	return nil
}

const (
	maxVaddr = 0x7ffffffff000
	maxAlign = 1 << 30
)

func roundUp(n uint64) uint64 { return (n + pageSize - 1) &^ (pageSize - 1) }

func cstrlen(b []byte) int {
	for i, c := range b {
		if c == 0 {
			return i
		}
	}
	return len(b)
}

// phdrAddr returns where the program header table lies in memory when the
// program is loaded with this bias, 0 if no segment holds it.
func (p *program) phdrAddr(bias uint64) uint64 {
	for _, h := range p.phdrs {
		if h.typ == ptLoad && p.phoff >= h.offset && p.phoff < h.offset+h.filesz {
			return p.phoff - h.offset + h.vaddr + bias
		}
	}
	return 0
}
