package patch

import (
	"bytes"
	"testing"
)

// A text may end behind the system call, and an instruction that is none run up to there.
func TestTextEndsAtTheCall(t *testing.T) {
	for back := 1; back < maxInsn; back++ {
		code := bytes.Repeat([]byte{0x90}, page)
		copy(code[page-2:], []byte{0x0f, 0x05})
		code[page-2-back] = 0xb8
		im := pages{addr: 0x400000, b: code}
		Analyze(im, Site{Addr: 0x400000 + page - 2, Number: 39})
		AnalyzeShared(im, 0x400000+page-2)
	}
}

// pages is a Code of some pages with nothing around them.
type pages struct {
	addr uint64
	b    []byte
}

func (p pages) Read(addr uint64, b []byte) int {
	if addr < p.addr || addr >= p.addr+uint64(len(p.b)) {
		return 0
	}
	return copy(b, p.b[addr-p.addr:])
}
