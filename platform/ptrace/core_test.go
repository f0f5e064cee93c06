package ptrace

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/arch"
)

func setup(tb testing.TB) *Platform {
	z, err := StartZygote()
	if err != nil {
		tb.Fatal(err)
	}
	p, err := New(Config{Zygote: z})
	if err != nil {
		z.Stop()
		tb.Skip("ptrace is not permitted here: ", err)
	}
	tb.Cleanup(p.Release)
	return p
}

func BenchmarkGetpid(b *testing.B) {
	p := setup(b)
	as, c, r := guest(b, p, []byte{0x0f, 0x05, 0xeb, 0xfc}) // syscall; jmp
	defer c.Release()
	defer as.Release()
	r.RAX = 39
	b.ResetTimer()
	for b.Loop() {
		ev := c.Switch(as, r, false)
		if ev.Kind != platform.EventSyscall || r.OrigRAX != 39 {
			b.Fatalf("%+v %+v", ev, r)
		}
		r.RAX = 39
	}
}

func guest(tb testing.TB, p *Platform, code []byte) (platform.AddressSpace, platform.Context, *arch.Registers) {
	runtime.LockOSThread()
	fd, err := unix.MemfdCreate("guest", unix.MFD_CLOEXEC)
	if err != nil {
		tb.Fatal(err)
	}
	unix.Ftruncate(fd, 1<<20)
	unix.Pwrite(fd, code, 0)
	as, errno := p.NewAddressSpace()
	if errno != 0 {
		tb.Fatal(errno)
	}
	c := p.NewContext()
	errno = as.Apply(nil, []platform.Op{{Kind: platform.OpMap, Prot: linux.PROT_READ | linux.PROT_EXEC, Addr: 0x400000, Len: 0x10000, File: platform.HostFile{ID: 1, FD: int32(fd)}}})
	if errno != 0 {
		tb.Fatal(errno)
	}
	return as, c, &arch.Registers{RIP: 0x400000}
}

func TestGetpid(t *testing.T) {
	p := setup(t)
	as, c, r := guest(t, p, []byte{0x0f, 0x05, 0xeb, 0xfc}) // syscall; jmp
	r.RAX = 39
	for i := range 4 {
		ev := c.Switch(as, r, false)
		t.Logf("%+v %+v", ev, r)
		if i == 1 {
			r.CS = 0x13
		} else {
			r.CS = 0
		}
		r.RAX = 39
	}
	c.Release()
	as.Release()
}
