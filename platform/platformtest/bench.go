package platformtest

import (
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/arch"
)

// Bench runs the benchmarks of what a platform does.
func Bench(b *testing.B, open func(testing.TB) platform.Platform) {
	for _, t := range []struct {
		name string
		f    func(*testing.B, opener)
	}{
		{"Getpid", benchGetpid}, {"Getpid2", benchGetpid2}, {"Compute2", benchCompute2}, {"Fault", benchFault}, {"Map", benchMap},
		{"MapOutside", benchMapOutside}, {"Space", benchSpace}, {"Thread", benchThread}, {"Turns", benchTurns},
	} {
		b.Run(t.name, func(b *testing.B) { t.f(b, open) })
	}
}

type opener func(testing.TB) platform.Platform

// bench is a platform with a space whose code is at benchCode.
type bench struct {
	platform.Platform
	as   platform.AddressSpace
	file platform.HostFile
}

const (
	benchCode = 0x400000
	benchData = 0x600000
)

func newBench(b *testing.B, open opener, code ...byte) *bench {
	p := open(b)
	b.Cleanup(p.Release)
	fd, err := unix.MemfdCreate("guest", unix.MFD_CLOEXEC)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { unix.Close(fd) })
	unix.Ftruncate(fd, 1<<20)
	unix.Pwrite(fd, code, 0)
	n := &bench{p, nil, platform.HostFile{ID: 1, FD: int32(fd)}}
	as, errno := p.NewAddressSpace()
	if errno != 0 {
		b.Fatal(errno)
	}
	n.as = as
	if errno := as.Apply(nil, []platform.Op{n.op(benchCode)}); errno != 0 {
		b.Fatal(errno)
	}
	return n
}

func (n *bench) op(addr uint64) platform.Op {
	return platform.Op{Kind: platform.OpMap, Prot: linux.PROT_READ | linux.PROT_EXEC, Addr: addr, Len: page, File: n.file}
}

// run calls f with a context on a thread of its own.
func (n *bench) run(f func(c platform.Context)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		c := n.NewContext()
		defer c.Release()
		f(c)
	}()
	<-done
}

func loop(b *testing.B, n *bench, c platform.Context, kind platform.EventKind, count int) {
	r := arch.InitialRegisters(benchCode, 0)
	for range count {
		r.RAX = 39
		if ev := c.Switch(n.as, &r, false); ev.Kind != kind {
			b.Errorf("%+v", ev)
			return
		}
	}
}

func benchGetpid(b *testing.B, open opener) {
	n := newBench(b, open, 0x0f, 0x05, 0xeb, 0xfc) // syscall; jmp
	n.run(func(c platform.Context) {
		b.ResetTimer()
		loop(b, n, c, platform.EventSyscall, b.N)
	})
}

// benchGetpid2 has two threads do it at once: ns per call of both.
func benchGetpid2(b *testing.B, open opener) {
	n := newBench(b, open, 0x0f, 0x05, 0xeb, 0xfc)
	var wg sync.WaitGroup
	b.ResetTimer()
	for range 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			n.run(func(c platform.Context) { loop(b, n, c, platform.EventSyscall, b.N/2) })
		}()
	}
	wg.Wait()
}

// benchCompute2 has two threads count without a trap: ns per 1000 counts.
func benchCompute2(b *testing.B, open opener) {
	n := newBench(b, open, 0x48, 0xff, 0xcb, 0x75, 0xfb, 0x0f, 0x05) // 1: dec rbx; jnz 1b; syscall
	var wg sync.WaitGroup
	b.ResetTimer()
	for range 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			n.run(func(c platform.Context) {
				r := arch.InitialRegisters(benchCode, 0)
				r.RBX = uint64(b.N)*500 + 1
				c.Switch(n.as, &r, false)
			})
		}()
	}
	wg.Wait()
}

func benchFault(b *testing.B, open opener) {
	n := newBench(b, open, 0x48, 0x8b, 0x07) // mov rax, [rdi]
	n.run(func(c platform.Context) {
		b.ResetTimer()
		loop(b, n, c, platform.EventFault, b.N)
	})
}

func benchMap(b *testing.B, open opener) {
	n := newBench(b, open, 0x0f, 0x05, 0xeb, 0xfc)
	n.run(func(c platform.Context) {
		loop(b, n, c, platform.EventSyscall, 1)
		b.ResetTimer()
		for range b.N {
			n.as.Apply(c, []platform.Op{n.op(benchData)})
		}
	})
}

func benchMapOutside(b *testing.B, open opener) {
	n := newBench(b, open)
	for b.Loop() {
		n.as.Apply(nil, []platform.Op{n.op(benchData)})
	}
}

func benchSpace(b *testing.B, open opener) {
	n := newBench(b, open, 0x0f, 0x05, 0xeb, 0xfc)
	for b.Loop() {
		as, errno := n.NewAddressSpace()
		if errno != 0 {
			b.Fatal(errno)
		}
		as.Release()
	}
}

func benchThread(b *testing.B, open opener) {
	n := newBench(b, open, 0x0f, 0x05, 0xeb, 0xfc)
	for b.Loop() {
		n.run(func(c platform.Context) { loop(b, n, c, platform.EventSyscall, 1) })
	}
}

// benchTurns has two guests take turns, each waking the other from the
// Sentry: ns per turn.
func benchTurns(b *testing.B, open opener) {
	n := newBench(b, open, 0x0f, 0x05, 0xeb, 0xfc)
	var ch [2]chan struct{}
	for i := range ch {
		ch[i] = make(chan struct{}, 1)
	}
	var wg sync.WaitGroup
	b.ResetTimer()
	for i := range 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			n.run(func(c platform.Context) {
				for range b.N / 2 {
					if i == 1 {
						<-ch[1]
					}
					loop(b, n, c, platform.EventSyscall, 1)
					ch[1-i] <- struct{}{}
					if i == 0 {
						<-ch[0]
					}
				}
			})
		}()
	}
	wg.Wait()
}
