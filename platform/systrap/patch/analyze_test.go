package patch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDecodeAsObjdump(t *testing.T) {
	for _, path := range []string{"/lib/x86_64-linux-gnu/libc.so.6", "/bin/busybox", "/usr/bin/node"} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			if _, err := os.Stat(path); err != nil {
				t.Skip(err)
			}
			im, d := loadImage(t, path), disassemble(t, path)
			wrong, all, bad := 0, 0, map[string]int{}
			for addr, size := range d.sizes {
				what := d.text[addr]
				if size > maxInsn || strings.Contains(what, "(bad)") {
					continue
				}
				var b [maxInsn]byte
				in := decode(b[:im.Read(addr, b[:])])
				all++
				switch {
				case in.size == size:
				case in.kind == kindBad:
					bad[strings.Fields(what)[0]]++
				default:
					wrong++
					if wrong < 20 {
						t.Logf("%x: %d bytes, not %d: % x %s", addr, in.size, size, b[:size], what)
					}
				}
			}
			t.Logf("%d instructions, %d of another length, refused %v", all, wrong, bad)
		})
	}
}
