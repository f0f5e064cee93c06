package arch

import (
	"bytes"
	"debug/elf"
	"testing"
)

func TestVDSO(t *testing.T) {
	image := VDSO()
	if len(image)%4096 != 0 {
		t.Fatalf("image is %d bytes, not whole pages", len(image))
	}
	f, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		t.Fatal(err)
	}
	if f.Type != elf.ET_DYN || f.Machine != elf.EM_X86_64 {
		t.Errorf("type %v machine %v", f.Type, f.Machine)
	}
	_, offset, size := vdsoFunctions()
	for n := 1; n < len(vdsoSymbols); n++ {
		if offset[n]%16 != 0 || size[n] < 16 || size[n] > 512 {
			t.Errorf("%s: offset %d, size %d", vdsoSymbols[n], offset[n], size[n])
		}
		at := vdsoTextOffset + offset[n]
		if bytes.Contains(image[at:at+size[n]], []byte("vdso")) && n < len(vdsoSymbols)-1 {
			// The next entry's mark ends this one and is never inside it.
			if i := bytes.Index(image[at:at+size[n]], []byte("vdso")); i < size[n]-16 {
				t.Errorf("%s has a mark at %d", vdsoSymbols[n], i)
			}
		}
	}
}

func TestMult(t *testing.T) {
	for _, c := range []struct{ ns, ticks uint64 }{{1e9, 2e9}, {1e9, 1e9}, {123456789, 987654321}, {1e9, 5_000_000_000}} {
		m := Mult(c.ns, c.ticks)
		if got := Nanoseconds(m, c.ticks); got+1 < c.ns || got > c.ns {
			t.Errorf("%d ns in %d ticks: back comes %d", c.ns, c.ticks, got)
		}
	}
	if Mult(1<<40, 1) != 0 || Mult(5, 0) != 0 {
		t.Error("a rate out of range is not refused")
	}
}
