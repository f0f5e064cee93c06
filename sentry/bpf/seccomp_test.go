package bpf

import (
	"bytes"
	"testing"

	"cordon/internal/linux"
)

// Instructions that the tests are written with.
const (
	ret    = classRET | returnK
	retA   = classRET | returnA
	ld     = classLD | modeABS
	jeq    = classJMP | opJEQ
	allow  = 0x7fff0000
	errno1 = 0x00050001
)

func TestCompileSeccomp(t *testing.T) {
	for name, c := range map[string]struct {
		prog []ins
		ok   bool
	}{
		"a_return":                  {[]ins{{Code: ret}}, true},
		"a_load_beyond_the_data":    {[]ins{{Code: ld, K: 64}, {Code: ret}}, false},
		"a_load_across_words":       {[]ins{{Code: ld, K: 2}, {Code: ret}}, false},
		"a_half_word":               {[]ins{{Code: classLD | modeABS | sizeH}, {Code: ret}}, false},
		"an_indirect_load":          {[]ins{{Code: classLD | modeIND}, {Code: ret}}, false},
		"a_header's_length":         {[]ins{{Code: classLDX | modeMSH | sizeB}, {Code: ret}}, false},
		"an_ancillary_load":         {[]ins{{Code: ld, K: AncillaryOffset}, {Code: ret}}, false},
		"a_modulo":                  {[]ins{{Code: classALU | opMOD, K: 3}, {Code: ret}}, false},
		"a_jump_that_wraps":         {[]ins{{Code: classJMP | opJA, K: 0xffffffff}, {Code: ret}}, false},
		"scratch_written":           {[]ins{{Code: classST}, {Code: classLD | modeMEM}, {Code: ret}}, true},
		"scratch_on_both_ways":      {[]ins{{Code: classST}, {Code: jeq, Jf: 1}, {Code: classST}, {Code: classLD | modeMEM}, {Code: ret}}, true},
		"scratch_behind_a_dead_end": {[]ins{{Code: classJMP | opJA, K: 1}, {Code: classLD | modeMEM}, {Code: ret}}, true},
	} {
		if _, err := CompileSeccomp(c.prog); (err == 0) != c.ok {
			t.Errorf("%s: %v, want it accepted: %v", name, err, c.ok)
		}
	}
}

func TestRunOnCalls(t *testing.T) {
	data := &Call{0: 7, 1: 0xc000003e, 4: 100}
	for name, c := range map[string]struct {
		prog []ins
		want uint32
	}{
		"equal":          {[]ins{{Code: ld}, {Code: jeq, K: 7, Jf: 1}, {Code: ret, K: allow}, {Code: ret, K: errno1}}, allow},
		"not_equal":      {[]ins{{Code: ld}, {Code: jeq, K: 8, Jf: 1}, {Code: ret, K: allow}, {Code: ret, K: errno1}}, errno1},
		"an_argument":    {[]ins{{Code: ld, K: 16}, {Code: classALU | opADD, K: 5}, {Code: retA}}, 105},
		"the_length":     {[]ins{{Code: classLD | modeLEN}, {Code: retA}}, 64},
		"division_by_x":  {[]ins{{Code: ld}, {Code: classALU | opDIV | sourceX}, {Code: ret, K: allow}}, 0},
		"shift_by_x":     {[]ins{{Code: classLDX, K: 33}, {Code: ld}, {Code: classALU | opLSH | sourceX}, {Code: retA}}, 14},
		"scratch_and_x":  {[]ins{{Code: ld}, {Code: classST, K: 3}, {Code: classLDX | modeMEM, K: 3}, {Code: classMISC | miscTXA}, {Code: retA}}, 7},
		"bits_in_common": {[]ins{{Code: ld}, {Code: classJMP | opJSET, K: 8, Jt: 1}, {Code: ret, K: 1}, {Code: ret, K: 2}}, 1},
	} {
		p, err := CompileSeccomp(c.prog)
		if err != 0 {
			t.Errorf("%s: %v", name, err)
		} else if got := p.Run(data); got != c.want {
			t.Errorf("%s: %#x, want %#x", name, got, c.want)
		}
	}
}

// What a program says without looking at arguments is known beforehand.
func TestRunKnown(t *testing.T) {
	p, _ := CompileSeccomp([]ins{{Code: ld}, {Code: jeq, K: 7, Jt: 1}, {Code: ret, K: allow}, {Code: ld, K: 16}, {Code: retA}})
	if v, ok := p.RunKnown(6, 0); !ok || v != allow {
		t.Errorf("call 6: %#x, %v", v, ok)
	}
	if _, ok := p.RunKnown(7, 0); ok {
		t.Error("call 7 does not depend on its argument")
	}
}

// Whatever is accepted ends without reading outside of anything, and is its own
// bytes.
func FuzzSeccomp(f *testing.F) {
	f.Add([]byte{0x20, 0, 0, 0, 0, 0, 0, 0, 0x06, 0, 0, 0, 0, 0, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := CompileSeccomp(Parse(b))
		if err != 0 {
			return
		}
		if got := p.Bytes(); !bytes.Equal(got, b[:len(b)/InstructionSize*InstructionSize]) {
			t.Errorf("%x became %x", b, got)
		}
		p.Run(&Call{1, 2, 3})
		p.RunKnown(1, linux.AUDIT_ARCH_X86_64)
	})
}
