package systrap

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/arch"
	"cordon/platform/stub"
)

// A guest is a platform with a space whose code is at guestCode and whose data, a
// page, at guestData.
type guest struct {
	*testing.T
	p  *Platform
	as *AddressSpace
	fd int
}

const (
	guestCode = 0x400000
	guestData = 0x500000
)

func newGuest(t *testing.T, p *Platform, code ...byte) *guest {
	t.Helper()
	fd, err := unix.MemfdCreate("guest", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	unix.Ftruncate(fd, 2*pageSize)
	unix.Pwrite(fd, code, 0)
	as, errno := p.NewAddressSpace()
	if errno != 0 {
		t.Fatal(errno)
	}
	file := platform.HostFile{ID: uint64(time.Now().UnixNano()), FD: int32(fd)}
	ops := []platform.Op{
		{Kind: platform.OpMap, Prot: linux.PROT_READ | linux.PROT_EXEC, Addr: guestCode, Len: pageSize, File: file},
		{Kind: platform.OpMap, Prot: linux.PROT_READ | linux.PROT_WRITE, Addr: guestData, Len: pageSize, Offset: pageSize, File: file},
	}
	if errno := as.Apply(nil, ops); errno != 0 {
		t.Fatal(errno)
	}
	t.Cleanup(func() { as.Release(); p.ForgetFile(file) })
	return &guest{t, p, as.(*AddressSpace), fd}
}

// run calls f with a context on a thread of its own, and waits for it, not for ever.
func (g *guest) run(f func(c *Context)) {
	g.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		c := g.p.NewContext().(*Context)
		defer c.Release()
		f(c)
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		buf := make([]byte, 1<<20)
		g.Fatalf("no end\n%s", buf[:runtime.Stack(buf, true)])
	}
}

// syscallSites are the addresses of the syscall instructions in the stub's code.
func syscallSites() []uint64 {
	code := stub.CopyCode(stubCodeAddress(), codeSize)
	var sites []uint64
	for i := range code {
		if bytes.HasPrefix(code[i:], []byte{0x0f, 0x05}) {
			sites = append(sites, stubAddress+uint64(i))
		}
	}
	return sites
}

// A guest that jumps to the stub's own system calls can make none that reaches
// beyond it: the filter kills it.
func TestLeadersCallsNeedTheSecret(t *testing.T) {
	p := open(t).(*Platform)
	defer p.Release()
	sites := syscallSites()
	if len(sites) < 10 {
		t.Fatalf("%d syscall instructions in the stub", len(sites))
	}
	for name, call := range map[string][7]uint64{
		"mmap":       {unix.SYS_MMAP, guestData, pageSize, 3, unix.MAP_SHARED | unix.MAP_FIXED, controlDescriptor, 0},
		"guessed":    {unix.SYS_MMAP, guestData, pageSize, 3, unix.MAP_SHARED | unix.MAP_FIXED | 1<<32, controlDescriptor | 1<<32, 0},
		"munmap":     {unix.SYS_MUNMAP, guestData, pageSize},
		"mprotect":   {unix.SYS_MPROTECT, guestCode, pageSize, 7},
		"clone":      {unix.SYS_CLONE, threadFlags},
		"fork":       {unix.SYS_CLONE, uint64(unix.SIGCHLD)},
		"write":      {unix.SYS_WRITE, 1, opsAddress + opsDone, 8},
		"sendmsg":    {unix.SYS_SENDMSG, 3, guestData},
		"recvmsg":    {unix.SYS_RECVMSG, 3, guestData},
		"close":      {unix.SYS_CLOSE, 0},
		"open":       {unix.SYS_OPEN, guestData},
		"getpid":     {unix.SYS_GETPID},
		"exit_group": {unix.SYS_EXIT_GROUP},
		"futex op":   {unix.SYS_FUTEX, guestData, 6},
		"x32":        {unix.SYS_MMAP | 1<<30, guestData, pageSize, 3, unix.MAP_SHARED | unix.MAP_FIXED},
	} {
		site := sites[rand.IntN(len(sites))]
		g := newGuest(t, p)
		g.run(func(c *Context) {
			r := arch.InitialRegisters(site, 0)
			r.RAX, r.RDI, r.RSI, r.RDX, r.R10, r.R8, r.R9 = call[0], call[1], call[2], call[3], call[4], call[5], call[6]
			if ev := c.Switch(g.as, &r, false); ev.Kind != platform.EventDied {
				t.Errorf("%s at %#x: %+v", name, site, ev)
			}
		})
	}
}

// What a guest writes into its slot is worth nothing: the Sentry neither panics nor
// hangs nor believes an address outside the slot.
func TestGarbageInTheSlot(t *testing.T) {
	p := open(t).(*Platform)
	defer p.Release()
	random := rand.New(rand.NewPCG(1, 2))
	code := []byte{0x48, 0x89, 0x37, 0x0f, 0x05} // mov %rsi, (%rdi); syscall
	g := newGuest(t, p, code...)
	for i := range 400 {
		if i%20 == 0 || g.as.gone(0) {
			g = newGuest(t, p, code...)
		}
		g.run(func(c *Context) {
			r := arch.InitialRegisters(guestCode, guestData+pageSize)
			slot := slotAddress + uint64(len(g.as.slots)-1)*slotSize
			r.RDI = slot + slotHeader + 8*random.Uint64N(0x20)
			r.RSI = []uint64{0, ^uint64(0), guestData, slot, stubAddress, random.Uint64()}[random.IntN(6)]
			r.RAX = 39
			c.Switch(g.as, &r, false)
			if c.t != nil {
				c.FPU()
				c.Complete(&r)
			}
			r = arch.InitialRegisters(guestCode+3, 0)
			c.Switch(g.as, &r, false)
		})
	}
	// Others are as they were.
	g = newGuest(t, p, 0x0f, 0x05)
	g.run(func(c *Context) {
		r := arch.InitialRegisters(guestCode, 0)
		r.RAX = 39
		if ev := c.Switch(g.as, &r, false); ev.Kind != platform.EventSyscall || r.OrigRAX != 39 {
			t.Errorf("%+v", ev)
		}
	})
}

// A guest cannot write to what it is told, or to the leader's orders.
func TestFactsAndOrdersAreReadOnly(t *testing.T) {
	p := open(t).(*Platform)
	defer p.Release()
	for name, addr := range map[string]uint64{"facts": slotAddress, "orders": opsAddress, "code": stubAddress, "configuration": confAddress} {
		g := newGuest(t, p, 0x48, 0x89, 0x37, 0x0f, 0x05)
		g.run(func(c *Context) {
			r := arch.InitialRegisters(guestCode, 0)
			r.RDI = addr
			if ev := c.Switch(g.as, &r, false); ev.Kind != platform.EventFault || ev.Addr != addr || ev.Access != platform.Write {
				t.Errorf("%s: %+v", name, ev)
			}
		})
	}
}

// A guest that blocks the signal which interrupts it is killed instead.
func TestGuestThatCannotBeInterrupted(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two seconds")
	}
	p := open(t).(*Platform)
	defer p.Release()
	g := newGuest(t, p, 0xeb, 0xfe)
	// A frame for rt_sigreturn that blocks everything and goes on spinning.
	uc := make([]byte, ucSize)
	r := arch.InitialRegisters(guestCode, guestData+pageSize)
	putRegisters(uc, &r, 0)
	binary.LittleEndian.PutUint64(uc[ucFlags:], linux.UC_SIGCONTEXT_SS)
	binary.LittleEndian.PutUint64(uc[ucMask:], ^uint64(0))
	binary.LittleEndian.PutUint32(uc[ucStack+8:], uint32(linux.SS_DISABLE))
	unix.Pwrite(g.fd, uc, pageSize)
	g.run(func(c *Context) {
		r := arch.InitialRegisters(syscallSites()[0], guestData)
		r.RAX = unix.SYS_RT_SIGRETURN
		time.AfterFunc(50*time.Millisecond, c.Interrupt)
		if ev := c.Switch(g.as, &r, false); ev.Kind != platform.EventDied {
			t.Errorf("%+v", ev)
		}
	})
}

func TestStubKilledFromOutside(t *testing.T) {
	p := open(t).(*Platform)
	defer p.Release()
	g := newGuest(t, p, 0xeb, 0xfe)
	time.AfterFunc(50*time.Millisecond, func() { unix.Kill(int(g.as.pid), unix.SIGKILL) })
	g.run(func(c *Context) {
		r := arch.InitialRegisters(guestCode, 0)
		if ev := c.Switch(g.as, &r, false); ev.Kind != platform.EventDied {
			t.Errorf("%+v", ev)
		}
	})
	if errno := g.as.Apply(nil, []platform.Op{{Kind: platform.OpUnmap, Addr: guestCode, Len: pageSize}}); errno == 0 {
		t.Error("a dead stub carried out orders")
	}
	g = newGuest(t, p, 0x0f, 0x05)
	g.run(func(c *Context) {
		r := arch.InitialRegisters(guestCode, 0)
		if ev := c.Switch(g.as, &r, false); ev.Kind != platform.EventSyscall {
			t.Errorf("%+v", ev)
		}
	})
}

// What a guest writes where its leader hints at having done its orders, or at being
// asleep, is not believed: a range is unmapped when Apply returns, and orders are not
// left lying.
func TestForgedHints(t *testing.T) {
	p := open(t).(*Platform)
	defer p.Release()
	g := newGuest(t, p, 0x0f, 0x05, 0xeb, 0xfc) // syscall; jmp
	near := 0
	g.run(func(c *Context) {
		r := arch.InitialRegisters(guestCode, 0)
		file := platform.HostFile{ID: uint64(time.Now().UnixNano()), FD: int32(g.fd)}
		defer p.ForgetFile(file)
		const at = guestData + 16*pageSize
		for i := range 300 {
			if ev := c.Switch(g.as, &r, false); ev.Kind != platform.EventSyscall {
				t.Errorf("%+v", ev)
				return
			}
			h := g.as.first.h // as another thread of the guest could
			atomic.StoreUint32(&h.done, binary.LittleEndian.Uint32(g.as.orders[opsSequence:])+uint32(i%3))
			atomic.StoreUint32(&h.sleep, 0)
			op := platform.Op{Kind: platform.OpMap, Prot: linux.PROT_READ, Addr: at, Len: pageSize, File: file}
			if i%2 == 1 {
				op = platform.Op{Kind: platform.OpUnmap, Addr: at, Len: pageSize}
			}
			if errno := g.as.Apply(c, []platform.Op{op}); errno != 0 {
				t.Errorf("Apply: %v", errno)
				return
			}
			if binary.LittleEndian.Uint32(g.as.orders[opsLooks:]) != 0 {
				near++
			}
			maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", g.as.pid))
			if err != nil {
				t.Error(err)
				return
			}
			if has := bytes.Contains(maps, fmt.Appendf(nil, "%x-", at)); has != (i%2 == 0) {
				t.Fatalf("round %d: mapped is %v", i, has)
			}
		}
	})
	t.Logf("%d of 300 by a leader on the guest's CPU", near)
}
