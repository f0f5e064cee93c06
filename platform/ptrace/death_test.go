package ptrace

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/arch"
)

// spinner is a platform with a guest that spins at benchCode.
func spinner(t *testing.T) (*Platform, *AddressSpace) {
	p := open(t).(*Platform)
	t.Cleanup(p.Release)
	fd, err := unix.MemfdCreate("guest", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	unix.Ftruncate(fd, pageSize)
	unix.Pwrite(fd, []byte{0xeb, 0xfe}, 0)
	as, errno := p.NewAddressSpace()
	if errno != 0 {
		t.Fatal(errno)
	}
	op := platform.Op{Kind: platform.OpMap, Prot: linux.PROT_READ | linux.PROT_EXEC, Addr: benchCode, Len: pageSize,
		File: platform.HostFile{ID: 1, FD: int32(fd)}}
	if errno := as.Apply(nil, []platform.Op{op}); errno != 0 {
		t.Fatal(errno)
	}
	return p, as.(*AddressSpace)
}

// spin starts a guest that spins and returns the event that ends it.
func spin(p *Platform, as platform.AddressSpace) (c platform.Context, end chan platform.Event) {
	end = make(chan platform.Event, 1)
	c = p.NewContext()
	go func() {
		runtime.LockOSThread()
		r := arch.InitialRegisters(benchCode, 0)
		ev := c.Switch(as, &r, false)
		c.Release()
		end <- ev
	}()
	return c, end
}

// gone waits until no process pid exists, not even a zombie.
func gone(t *testing.T, pid int32) {
	t.Helper()
	for range 10000 {
		if unix.Kill(int(pid), 0) == unix.ESRCH {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("process %d is still there", pid)
}

func TestStubKilledFromOutside(t *testing.T) {
	p, as := spinner(t)
	_, a := spin(p, as)
	_, b := spin(p, as)
	unix.Kill(int(as.pid), unix.SIGKILL)
	for _, end := range []chan platform.Event{a, b} {
		if ev := <-end; ev.Kind != platform.EventDied {
			t.Errorf("%+v", ev)
		}
	}
	as.Release()
	gone(t, as.pid)
	// The platform goes on.
	next, errno := p.NewAddressSpace()
	if errno != 0 {
		t.Fatal(errno)
	}
	next.Release()
	gone(t, next.(*AddressSpace).pid)
}

func TestZygoteKilled(t *testing.T) {
	p, as := spinner(t)
	_, end := spin(p, as)
	unix.Kill(p.zygote.PID(), unix.SIGKILL)
	if ev := <-end; ev.Kind != platform.EventDied {
		t.Errorf("%+v", ev)
	}
	// Those of the pool are dead too. What it still hands out does not work, and
	// there is an end to it.
	for range 20 {
		next, errno := p.NewAddressSpace()
		if errno != 0 {
			return
		}
		if ev := func() platform.Event { _, end := spin(p, next); return <-end }(); ev.Kind == platform.EventSyscall {
			t.Errorf("%+v", ev)
		}
		next.Release()
	}
	t.Error("there are still new spaces")
}

func TestSignalsFromOutsideAreSwallowed(t *testing.T) {
	p, as := spinner(t)
	c, end := spin(p, as)
	for c.(*Context).running.Load() == 0 {
		runtime.Gosched()
	}
	for _, s := range []unix.Signal{unix.SIGCHLD, unix.SIGTERM, unix.SIGINT, unix.SIGSTOP, unix.SIGCONT, unix.SIGUSR1, unix.SIGWINCH, unix.SIGSEGV, unix.SIGTRAP} {
		unix.Kill(int(as.pid), s)
	}
	select {
	case ev := <-end:
		t.Fatalf("%+v", ev)
	case <-time.After(20 * time.Millisecond):
	}
	c.Interrupt()
	if ev := <-end; ev.Kind != platform.EventInterrupt {
		t.Errorf("%+v", ev)
	}
	as.Release()
	gone(t, as.pid)
}

func TestReleaseLeavesNoProcess(t *testing.T) {
	p, as := spinner(t)
	c, end := spin(p, as)
	c.Interrupt()
	<-end
	zygote := p.zygote.PID()
	p.Release()
	gone(t, as.pid)
	gone(t, int32(zygote))
}

func TestFilter(t *testing.T) {
	z, err := StartZygote()
	if err != nil {
		t.Skip(err)
	}
	p, err := New(Config{Zygote: z, Pool: 1})
	if err != nil {
		z.Stop()
		t.Skip(err)
	}
	defer p.Release()
	for name, call := range map[string][7]uint64{
		"open":                   {unix.SYS_OPEN, benchCode, 0},
		"getpid":                 {unix.SYS_GETPID},
		"anonymous mmap":         {unix.SYS_MMAP, benchCode, pageSize, 7, unix.MAP_PRIVATE | unix.MAP_ANON | unix.MAP_FIXED, ^uint64(0)},
		"mprotect with flags":    {unix.SYS_MPROTECT, benchCode, pageSize, 0x1000001},
		"clone of a process":     {unix.SYS_CLONE, uint64(unix.SIGCHLD)},
		"clone with a namespace": {unix.SYS_CLONE, threadBits | unix.CLONE_NEWUSER},
		"x32 mmap":               {unix.SYS_MMAP | 1<<30, benchCode, pageSize, 1, unix.MAP_SHARED | unix.MAP_FIXED},
		"prctl":                  {unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 1},
		"sendto elsewhere":       {unix.SYS_SENDTO, 0, dataAddress + 0x90, 8},
		"recvmsg elsewhere":      {unix.SYS_RECVMSG, z.Peer(), benchCode},
	} {
		as, errno := p.NewAddressSpace()
		if errno != 0 {
			t.Fatal(errno)
		}
		pid := as.(*AddressSpace).pid
		var result unix.Errno
		p.leader.do(func() {
			_, result = inject(pid, stubAddress+offInject, call[0], [6]uint64(call[1:]))
		})
		if result != unix.ESRCH {
			t.Errorf("%s: %v, want the stub killed", name, result)
		}
		as.Release()
		gone(t, pid)
	}
}
