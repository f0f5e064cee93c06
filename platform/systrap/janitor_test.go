package systrap

import (
	"encoding/binary"
	"runtime"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/platform"
	"cordon/platform/arch"
)

func TestLateReleaseTellsWhenTheStubIsDead(t *testing.T) {
	p := open(t).(*Platform)
	defer p.Release()
	var told, early atomic.Int32
	const n = maxDying + 8 // some have to wait
	for range n {
		as, errno := p.NewAddressSpace()
		if errno != 0 {
			t.Fatal(errno)
		}
		s := as.(*AddressSpace)
		s.ReleaseLate(func() {
			if told.Add(1); unix.Kill(int(s.pid), 0) == nil {
				early.Add(1)
			}
		})
		if errno := s.Apply(nil, nil); errno == 0 && !s.dead.Load() {
			// Apply of nothing needs no stub; of something it must fail.
			op := platform.Op{Kind: platform.OpUnmap, Addr: guestData, Len: pageSize}
			s.Apply(nil, []platform.Op{op})
		}
		s.Release() // once is enough
	}
	p.Settle()
	if told.Load() != n || early.Load() != 0 {
		t.Errorf("%d of %d told, %d of them with the stub alive", told.Load(), n, early.Load())
	}
}

// A new thread runs when it does: the leader may have other orders by then, which
// are none of its business. A thread that took them for its own would have the
// leader's secret and never hand over.
func TestNewThreadsDoNotObey(t *testing.T) {
	p := open(t).(*Platform)
	defer p.Release()
	g := newGuest(t, p, 0x0f, 0x05) // syscall
	const clone = opsList + 2*opsEntry
	for range 10 {
		g.as.mu.Lock()
		g.as.idle = nil
		g.as.mu.Unlock()
		le := binary.LittleEndian
		le.PutUint64(g.as.orders[clone:], 0)
		changed := make(chan struct{})
		started := make(chan struct{})
		go func() { // changes the orders as soon as the thread is made
			defer close(changed)
			close(started)
			for le.Uint64(g.as.orders[clone:]) != unix.SYS_CLONE {
				runtime.Gosched()
			}
			offset := le.Uint64(g.as.orders[opsList+8*6:])
			h := headerOf(p.control.mem[offset : offset+slotSize])
			for h.threadID() == 0 {
				runtime.Gosched()
			}
			le.PutUint64(g.as.orders[clone:], unix.SYS_MMAP)
		}()
		<-started
		th, errno := g.as.newThread()
		if errno != 0 {
			t.Fatal(errno)
		}
		<-changed
		g.as.mu.Lock()
		g.as.idle = []*thread{th}
		g.as.mu.Unlock()
		g.run(func(c *Context) {
			r := arch.InitialRegisters(guestCode, 0)
			r.RAX = 39
			if ev := c.Switch(g.as, &r, false); ev.Kind != platform.EventSyscall || r.OrigRAX != 39 {
				t.Errorf("%+v", ev)
			}
		})
	}
}
