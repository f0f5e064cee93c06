package patch

import (
	"bytes"
	"os"
	"testing"
)

// BenchmarkAnalyze decides about system calls of the C library in turn.
func BenchmarkAnalyze(b *testing.B) {
	const libc = "/lib/x86_64-linux-gnu/libc.so.6"
	if _, err := os.Stat(libc); err != nil {
		b.Skip(err)
	}
	im := loadImage(b, libc)
	var sites []uint64
	for _, s := range im.segs {
		for i := 0; i < len(s.b); {
			k := bytes.Index(s.b[i:], []byte{0x0f, 0x05})
			if k < 0 {
				break
			}
			sites = append(sites, s.addr+uint64(i+k))
			i += k + 2
		}
	}
	set := &Set{}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		AnalyzeShared(set.Original(im), sites[n%len(sites)])
		n++
	}
}
