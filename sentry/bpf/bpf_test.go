package bpf

import (
	"encoding/binary"
	"testing"

	"cordon/internal/linux"
)

type ins = linux.SockFilter

func TestCompileRefuses(t *testing.T) {
	for name, p := range map[string][]ins{
		"nothing":                        {},
		"no_return_at_the_end":           {{Code: 0x00, K: 1}},
		"a_jump_out":                     {{Code: 0x05, K: 1}, {Code: 0x06}},
		"a_branch_out":                   {{Code: 0x15, Jt: 1}, {Code: 0x06}},
		"a_division_by_0":                {{Code: 0x34}, {Code: 0x06}},
		"a_shift_by_32":                  {{Code: 0x64, K: 32}, {Code: 0x06}},
		"scratch_memory_past_its_end":    {{Code: 0x02, K: 16}, {Code: 0x06}},
		"scratch_memory_not_written":     {{Code: 0x60, K: 1}, {Code: 0x06}},
		"scratch_written_on_one_way":     {{Code: 0x15, Jt: 1}, {Code: 0x02, K: 3}, {Code: 0x60, K: 3}, {Code: 0x06}},
		"an_ancillary_load_unknown":      {{Code: 0x20, K: AncillaryOffset + 200}, {Code: 0x06}},
		"a_return_of_x":                  {{Code: 0x0e}},
		"a_code_of_more_than_a_byte":     {{Code: 0x106}},
		"a_load_of_a_size_there_is_none": {{Code: 0x38}, {Code: 0x06}},
	} {
		if _, err := Compile(p); err != linux.EINVAL {
			t.Errorf("%s: Compile = %v, want EINVAL", name, err)
		}
	}
	if _, err := Compile(make([]ins, linux.BPF_MAXINSNS+1)); err != linux.EINVAL {
		t.Errorf("a program too long: %v", err)
	}
}

func TestRun(t *testing.T) {
	pkt := &Packet{Bytes: make([]byte, 40), Network: 14, Protocol: 0x0800, Type: 4, Device: 2}
	binary.BigEndian.PutUint16(pkt.Bytes[12:], 0x0806)
	pkt.Bytes[14] = 0x46
	binary.BigEndian.PutUint32(pkt.Bytes[20:], 0xdeadbeef)
	for name, c := range map[string]struct {
		p    []ins
		want uint32
	}{
		"returns_a_constant":      {[]ins{{Code: 0x06, K: 7}}, 7},
		"loads_a_half_word":       {[]ins{{Code: 0x28, K: 12}, {Code: 0x16}}, 0x0806},
		"loads_past_the_end":      {[]ins{{Code: 0x20, K: 37}, {Code: 0x06, K: 5}}, 0},
		"loads_indirectly":        {[]ins{{Code: 0x01, K: 20}, {Code: 0x40, K: 0}, {Code: 0x16}}, 0xdeadbeef},
		"knows_a_header's_length": {[]ins{{Code: 0xb1, K: 14}, {Code: 0x87}, {Code: 0x16}}, 24},
		"knows_the_length":        {[]ins{{Code: 0x80}, {Code: 0x16}}, 40},
		"branches":                {[]ins{{Code: 0x28, K: 12}, {Code: 0x15, Jf: 1, K: 0x0806}, {Code: 0x06, K: 1}, {Code: 0x06, K: 2}}, 1},
		"keeps_words":             {[]ins{{Code: 0x00, K: 9}, {Code: 0x02, K: 3}, {Code: 0x00}, {Code: 0x60, K: 3}, {Code: 0x16}}, 9},
		"divides_by_0_in_x":       {[]ins{{Code: 0x00, K: 9}, {Code: 0x3c}, {Code: 0x06, K: 5}}, 0},
		"computes":                {[]ins{{Code: 0x00, K: 9}, {Code: 0x24, K: 3}, {Code: 0x14, K: 1}, {Code: 0x84}, {Code: 0x16}}, ^uint32(26) + 1},
		"knows_the_type":          {[]ins{{Code: 0x20, K: AncillaryOffset + 4}, {Code: 0x16}}, 4},
		"knows_the_protocol":      {[]ins{{Code: 0x28, K: AncillaryOffset}, {Code: 0x16}}, 0x0800},
		"reads_from_the_network":  {[]ins{{Code: 0x30, K: NetworkOffset}, {Code: 0x16}}, 0x46},
	} {
		p, err := Compile(c.p)
		if err != 0 {
			t.Errorf("%s: Compile: %v", name, err)
		} else if got := p.Run(pkt); got != c.want {
			t.Errorf("%s: Run = %#x, want %#x", name, got, c.want)
		}
	}
}

func FuzzRun(f *testing.F) {
	f.Add([]byte{0x28, 0, 0, 0, 12, 0, 0, 0, 0x16, 0, 0, 0, 0, 0, 0, 0}, []byte("packet"))
	f.Fuzz(func(t *testing.T, code, packet []byte) {
		if p, err := Compile(Parse(code)); err == 0 {
			p.Run(&Packet{Bytes: packet})
		}
	})
}
