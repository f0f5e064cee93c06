package patch

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// An image is the executable segments of an ELF file, as they are mapped.
type image struct {
	name string
	bias uint64
	segs []segment
}

type segment struct {
	addr uint64
	b    []byte
	lead uint64 // bytes before what comes from the file
	prog *elf.Prog
}

// biasOf is what is added to the addresses of a file that may be loaded
// anywhere, which begin at 0.
func biasOf(f *elf.File) uint64 {
	if f.Type == elf.ET_EXEC {
		return 0
	}
	return 0x10000000
}

func loadImage(t testing.TB, path string) *image {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	im := &image{name: filepath.Base(path), bias: biasOf(f)}
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD || p.Flags&elf.PF_X == 0 {
			continue
		}
		b := make([]byte, p.Filesz)
		if _, err := p.ReadAt(b, 0); err != nil {
			t.Fatal(err)
		}
		// Whole pages are mapped: behind the text as zeros here.
		lead := p.Vaddr % page
		b = append(make([]byte, lead), b...)
		b = append(b, make([]byte, -len(b)&(page-1))...)
		im.segs = append(im.segs, segment{im.bias + p.Vaddr - lead, b, lead, p})
	}
	return im
}

func (im *image) Read(addr uint64, b []byte) int {
	for _, s := range im.segs {
		if off := addr - s.addr; off < uint64(len(s.b)) {
			return copy(b, s.b[off:])
		}
	}
	return 0
}

func (im *image) write(addr uint64, b []byte) {
	for _, s := range im.segs {
		if off := addr - s.addr; off < uint64(len(s.b)) {
			copy(s.b[off:], b)
		}
	}
}

func compile(t testing.TB, name, src string, cc ...string) string {
	t.Helper()
	if _, err := exec.LookPath(cc[0]); err != nil {
		t.Skipf("no %s here", cc[0])
	}
	dir := t.TempDir()
	in, out := filepath.Join(dir, name+".c"), filepath.Join(dir, name)
	if err := os.WriteFile(in, []byte(src), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(cc[0], append(cc[1:], "-O2", "-o", out, in, "-pthread")...)
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cc, err, msg)
	}
	return out
}

func goBuild(t testing.TB, src string) string {
	t.Helper()
	dir := t.TempDir()
	out := filepath.Join(dir, "prog")
	for name, text := range map[string]string{"go.mod": "module prog\n\ngo 1.26\n", "main.go": src} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "build", "-o", out, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, msg)
	}
	return out
}

// number is what rax would be at the site, as far as the instruction before
// tells, else one that no instruction loads.
func number(im *image, site uint64) uint64 {
	var b [5]byte
	if im.Read(site-5, b[:]) == 5 && b[0] == 0xb8 {
		return uint64(binary.LittleEndian.Uint32(b[1:]))
	}
	var c [7]byte
	if im.Read(site-7, c[:]) == 7 && c[0] == 0x48 && c[1] == 0xc7 && c[2] == 0xc0 {
		return uint64(int32(binary.LittleEndian.Uint32(c[3:])))
	}
	return 999
}
