package loader

import (
	"encoding/binary"
	"io"
	"os"
	"strings"
	"testing"

	"cordon/internal/linux"
)

// bytesReader is a file in memory.
type bytesReader []byte

func (r bytesReader) readFull(p []byte, off uint64) error {
	if off > uint64(len(r)) || uint64(len(p)) > uint64(len(r))-off {
		return linux.EIO
	}
	copy(p, r[off:])
	return nil
}

// headers builds an executable's headers, for seeds.
func headers(typ uint16, segments ...phdr) []byte {
	b := make([]byte, ehdrSize+len(segments)*phdrSize)
	copy(b, "\x7fELF\x02\x01\x01")
	le := binary.LittleEndian
	le.PutUint16(b[16:], typ)
	le.PutUint16(b[18:], 62)
	le.PutUint64(b[24:], 0x401000)
	le.PutUint64(b[32:], ehdrSize)
	le.PutUint16(b[54:], phdrSize)
	le.PutUint16(b[56:], uint16(len(segments)))
	for i, s := range segments {
		p := b[ehdrSize+i*phdrSize:]
		le.PutUint32(p, s.typ)
		le.PutUint32(p[4:], s.flags)
		for j, v := range []uint64{s.offset, s.vaddr, s.paddr, s.filesz, s.memsz, s.align} {
			le.PutUint64(p[8+8*j:], v)
		}
	}
	return b
}

func FuzzELF(f *testing.F) {
	f.Add(headers(2, phdr{typ: ptLoad, flags: pfR | pfX, vaddr: 0x400000, filesz: 120, memsz: 120, align: 4096}))
	f.Add(append(headers(3, phdr{typ: ptLoad, flags: pfR, filesz: 300, memsz: 400, align: 1 << 21},
		phdr{typ: ptInterp, offset: 176, filesz: 8, memsz: 8}), "/lib/ld\x00"...))
	f.Add(headers(3, phdr{typ: ptLoad, vaddr: maxVaddr - 4096, memsz: 4096}, phdr{typ: ptGNUStack, flags: pfX}))
	if file, err := os.Open("/bin/true"); err == nil {
		head, _ := io.ReadAll(io.LimitReader(file, 1<<12))
		f.Add(head)
		file.Close()
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parseELF(b[:min(len(b), headSize)], bytesReader(b))
		if err != nil {
			if _, ok := err.(linux.Errno); !ok {
				t.Fatalf("an error that is no errno: %v", err)
			}
			return
		}
		if p.loadMin >= p.loadMax || p.loadMax > maxVaddr || p.loadMin%pageSize != 0 || p.loadMax%pageSize != 0 {
			t.Fatalf("loaded at %#x to %#x", p.loadMin, p.loadMax)
		}
		if a := p.align; a < pageSize || a > maxAlign || a&(a-1) != 0 {
			t.Fatalf("aligned to %#x", a)
		}
		if strings.IndexByte(p.interp, 0) >= 0 || len(p.interp) >= maxInterpLen {
			t.Fatalf("interpreter %q", p.interp)
		}
		p.phdrAddr(0x555555554000)
	})
}

func FuzzScript(f *testing.F) {
	for _, s := range []string{"#!/bin/sh\n", "#! /usr/bin/env  python3 -x \n", "#!", "#!\n", "#! \t\x00", "#!" + strings.Repeat("x", headSize)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 2 {
			return
		}
		interp, arg, err := parseScript(b[:min(len(b), headSize)])
		if err == nil && (interp == "" || strings.ContainsAny(interp, " \t\n\x00") || strings.ContainsAny(arg, "\n\x00")) {
			t.Fatalf("%q gives %q, %q", b, interp, arg)
		}
	})
}
