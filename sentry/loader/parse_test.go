package loader

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"cordon/internal/linux"
)

type wholeReader []byte

func (b wholeReader) readFull(p []byte, off uint64) error {
	if off > uint64(len(b)) || uint64(len(p)) > uint64(len(b))-off {
		return linux.ENOEXEC
	}
	copy(p, b[off:])
	return nil
}

// elfFile returns a file of these program headers.
func elfFile(typ uint16, list ...phdr) []byte {
	le := binary.LittleEndian
	b := make([]byte, ehdrSize+phdrSize*len(list)+64)
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[16:], typ)
	le.PutUint16(b[18:], 62)
	le.PutUint64(b[32:], ehdrSize)
	le.PutUint16(b[54:], phdrSize)
	le.PutUint16(b[56:], uint16(len(list)))
	for i, h := range list {
		p := b[ehdrSize+i*phdrSize:]
		le.PutUint32(p, h.typ)
		le.PutUint32(p[4:], h.flags)
		for k, v := range []uint64{h.offset, h.vaddr, h.paddr, h.filesz, h.memsz, h.align} {
			le.PutUint64(p[8+8*k:], v)
		}
	}
	return b
}

func TestParseELFRefusesNonsense(t *testing.T) {
	good := phdr{typ: ptLoad, flags: pfR | pfX, vaddr: 0x400000, filesz: 64, memsz: 64, align: pageSize}
	with := func(change func(*phdr)) phdr { h := good; change(&h); return h }
	for name, h := range map[string]phdr{
		"more file than memory": with(func(h *phdr) { h.filesz = 65 }),
		"end wraps":             with(func(h *phdr) { h.memsz = math.MaxUint64 }),
		"beyond user addresses": with(func(h *phdr) { h.vaddr = 1 << 47 }),
		"offset wraps":          with(func(h *phdr) { h.offset = math.MaxUint64 &^ (pageSize - 1); h.filesz, h.memsz = pageSize, pageSize }),
		"not congruent":         with(func(h *phdr) { h.offset = 1 }),
		"long interpreter":      {typ: ptInterp, filesz: maxInterpLen + 1},
		"empty interpreter":     {typ: ptInterp, filesz: 1},
		"interpreter beyond":    {typ: ptInterp, offset: 1 << 62, filesz: 10},
	} {
		b := elfFile(2, h)
		if _, err := parseELF(b, wholeReader(b)); err != linux.ENOEXEC {
			t.Errorf("%s: %v", name, err)
		}
	}
	b := elfFile(2, good, with(func(h *phdr) { h.vaddr, h.memsz, h.filesz = 0x600000, 1<<40, 0 }))
	p, err := parseELF(b, wholeReader(b))
	if err != nil || p.loadMin != 0x400000 || p.loadMax != 0x600000+1<<40 {
		t.Errorf("a huge bss: %+v %v", p, err)
	}
	for cut := range ehdrSize {
		if _, err := parseELF(b[:cut], wholeReader(b)); err != linux.ENOEXEC {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
}

func TestParseScript(t *testing.T) {
	long := strings.Repeat("a", headSize)
	for _, c := range []struct {
		head, interp, arg string
		err               error
	}{
		{"#!/bin/sh\nx", "/bin/sh", "", nil},
		{"#!/bin/sh", "/bin/sh", "", nil},
		{"#! \t/bin/sh \t a  b \t\n", "/bin/sh", "a  b", nil},
		{"#!\n", "", "", linux.ENOEXEC},
		{"#!", "", "", linux.ENOEXEC},
		{"#!  \t\n", "", "", linux.ENOEXEC},
		{("#!/" + long)[:headSize], "", "", linux.ENOEXEC},
		{("#!/bin/sh " + long)[:headSize], "/bin/sh", long[:headSize-10], nil},
	} {
		interp, arg, err := parseScript([]byte(c.head))
		if interp != c.interp || arg != c.arg || err != c.err {
			t.Errorf("%.20q: %q %q %v", c.head, interp, arg, err)
		}
	}
}
