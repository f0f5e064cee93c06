package bpf

import (
	"encoding/binary"
	"testing"
)

const (
	ret    = classRET | retK
	ld     = classLD | modeABS
	jeq    = classJMP | opJEQ | srcK
	allow  = 0x7fff0000
	errno1 = 0x00050001
)

func TestCheckSeccomp(t *testing.T) {
	for name, c := range map[string]struct {
		prog []Insn
		ok   bool
	}{
		"empty":                     {nil, false},
		"return":                    {[]Insn{{Code: ret}}, true},
		"no return at the end":      {[]Insn{{Code: ld}}, false},
		"load beyond the data":      {[]Insn{{Code: ld, K: 64}, {Code: ret}}, false},
		"load across words":         {[]Insn{{Code: ld, K: 2}, {Code: ret}}, false},
		"half word":                 {[]Insn{{Code: 0x28}, {Code: ret}}, false},
		"modulo":                    {[]Insn{{Code: classALU | 0x90, K: 3}, {Code: ret}}, false},
		"division by zero":          {[]Insn{{Code: classALU | opDIV}, {Code: ret}}, false},
		"shift by 32":               {[]Insn{{Code: classALU | opLSH, K: 32}, {Code: ret}}, false},
		"jump to the end":           {[]Insn{{Code: classJMP | opJA, K: 1}, {Code: ret}}, false},
		"jump that wraps":           {[]Insn{{Code: classJMP | opJA, K: 0xffffffff}, {Code: ret}}, false},
		"branch beyond the end":     {[]Insn{{Code: jeq, Jf: 1}, {Code: ret}}, false},
		"scratch out of range":      {[]Insn{{Code: classST, K: 16}, {Code: ret}}, false},
		"scratch never written":     {[]Insn{{Code: classLD | modeMEM}, {Code: ret}}, false},
		"scratch written":           {[]Insn{{Code: classST}, {Code: classLD | modeMEM}, {Code: ret}}, true},
		"scratch on one path only":  {[]Insn{{Code: jeq, Jf: 1}, {Code: classST}, {Code: classLD | modeMEM}, {Code: ret}}, false},
		"scratch on both paths":     {[]Insn{{Code: classST}, {Code: jeq, Jf: 1}, {Code: classST}, {Code: classLD | modeMEM}, {Code: ret}}, true},
		"scratch behind a dead end": {[]Insn{{Code: classJMP | opJA, K: 1}, {Code: classLD | modeMEM}, {Code: ret}}, true},
	} {
		if _, ok := CheckSeccomp(c.prog); ok != c.ok {
			t.Errorf("%s: %v, want %v", name, ok, c.ok)
		}
	}
}

func TestRun(t *testing.T) {
	data := &[DataWords]uint32{0: 7, 1: 0xc000003e, 4: 100}
	for name, c := range map[string]struct {
		prog []Insn
		want uint32
	}{
		"equal":          {[]Insn{{Code: ld}, {Code: jeq, K: 7, Jf: 1}, {Code: ret, K: allow}, {Code: ret, K: errno1}}, allow},
		"not equal":      {[]Insn{{Code: ld}, {Code: jeq, K: 8, Jf: 1}, {Code: ret, K: allow}, {Code: ret, K: errno1}}, errno1},
		"return of A":    {[]Insn{{Code: ld, K: 16}, {Code: classALU | opADD, K: 5}, {Code: classRET | retA}}, 105},
		"length":         {[]Insn{{Code: classLD | modeLEN}, {Code: classRET | retA}}, 64},
		"division by X":  {[]Insn{{Code: ld}, {Code: classALU | opDIV | srcX}, {Code: ret, K: allow}}, 0},
		"shift by X":     {[]Insn{{Code: classLDX, K: 33}, {Code: ld}, {Code: classALU | opLSH | srcX}, {Code: classRET | retA}}, 14},
		"negation":       {[]Insn{{Code: ld}, {Code: classALU | opNEG}, {Code: classRET | retA}}, ^uint32(6)},
		"scratch and X":  {[]Insn{{Code: ld}, {Code: classST, K: 3}, {Code: classLDX | modeMEM, K: 3}, {Code: classMISC | miscTXA}, {Code: classRET | retA}}, 7},
		"far jump":       {[]Insn{{Code: classJMP | opJA, K: 1}, {Code: ret, K: 1}, {Code: ret, K: 2}}, 2},
		"bits in common": {[]Insn{{Code: ld}, {Code: classJMP | opSET, K: 8, Jt: 1}, {Code: ret, K: 1}, {Code: ret, K: 2}}, 1},
	} {
		p, ok := CheckSeccomp(c.prog)
		if !ok {
			t.Errorf("%s: refused", name)
		} else if got := p.Run(data); got != c.want {
			t.Errorf("%s: %#x, want %#x", name, got, c.want)
		}
	}
}

// What a program says without looking at arguments is known beforehand.
func TestRunKnown(t *testing.T) {
	p, _ := CheckSeccomp([]Insn{{Code: ld}, {Code: jeq, K: 7, Jt: 1}, {Code: ret, K: allow}, {Code: ld, K: 16}, {Code: classRET | retA}})
	if v, ok := p.RunKnown(6, 0); !ok || v != allow {
		t.Errorf("call 6: %#x, %v", v, ok)
	}
	if _, ok := p.RunKnown(7, 0); ok {
		t.Error("call 7 does not depend on its argument")
	}
}

// Whatever is accepted ends without reading outside of anything.
func FuzzSeccomp(f *testing.F) {
	f.Add([]byte{0x20, 0, 0, 0, 0, 0, 0, 0, 0x06, 0, 0, 0, 0, 0, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, b []byte) {
		var insns []Insn
		for ; len(b) >= 8; b = b[8:] {
			insns = append(insns, Insn{binary.LittleEndian.Uint16(b), b[2], b[3], binary.LittleEndian.Uint32(b[4:])})
		}
		if p, ok := CheckSeccomp(insns); ok {
			p.Run(&[DataWords]uint32{1, 2, 3})
			p.RunKnown(1, 2)
		}
	})
}
