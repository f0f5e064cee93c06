package systrap

import (
	"encoding/binary"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/arch"
	"cordon/platform/platformtest"
)

func BenchmarkPlatform(b *testing.B) { platformtest.Bench(b, open) }

// BenchmarkPatched makes calls as patched code does.
func BenchmarkPatched(b *testing.B) {
	const at = 0x400000
	p := open(b).(*Platform)
	b.Cleanup(p.Release)
	code := []byte{0x49, 0xbb}                                        // movabs entry, %r11
	code = binary.LittleEndian.AppendUint64(code, p.marks[markEntry]) //
	code = append(code, 0x48, 0x8d, 0x0d, 3, 0, 0, 0)                 // lea 3(%rip), %rcx
	code = append(code, 0x41, 0xff, 0xe3)                             // jmp *%r11
	code = append(code, 0xeb, byte(0x100-2-len(code)))                // jmp to the start
	fd, err := unix.MemfdCreate("guest", unix.MFD_CLOEXEC)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Close(fd)
	unix.Ftruncate(fd, pageSize)
	unix.Pwrite(fd, code, 0)
	as, errno := p.NewAddressSpace()
	if errno != 0 {
		b.Fatal(errno)
	}
	op := platform.Op{Kind: platform.OpMap, Prot: linux.PROT_READ | linux.PROT_EXEC, Addr: at, Len: pageSize,
		File: platform.HostFile{ID: 1, FD: int32(fd)}}
	if errno := as.Apply(nil, []platform.Op{op}); errno != 0 {
		b.Fatal(errno)
	}
	done := make(chan struct{})
	b.ReportAllocs()
	go func() {
		defer close(done)
		runtime.LockOSThread()
		c := p.NewContext()
		defer c.Release()
		r := arch.InitialRegisters(at, 0)
		b.ResetTimer()
		for range b.N {
			r.RAX = 39
			if ev := c.Switch(as, &r, false); ev.Kind != platform.EventSyscall || r.OrigRAX != 39 {
				b.Errorf("%+v", ev)
				return
			}
		}
	}()
	<-done
}
