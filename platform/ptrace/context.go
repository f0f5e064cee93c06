package ptrace

import (
	"sync/atomic"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/arch"
	"cordon/platform/stub"
)

// A Context is a guest thread's place in the platform: a thread of a stub that
// the owner's OS thread traces. Between two calls of Switch that thread is
// stopped.
type Context struct {
	// immutable
	p *Platform

	// task-only
	as    *AddressSpace  // where tid is
	tid   int32          // 0: none yet
	dirty bool           // an injected call has used the registers
	hw    arch.Registers // the thread's segment bases and selectors, as last read
	state []byte         // extended state to load when there is a thread
	xsave []byte         // buffer that FPU returns a part of
	home  stub.Place     // where the owner's and the stub's thread are bound

	// atomic: pending is set by Interrupt and cleared by the Switch that
	// reports it. running is the thread to kick, pid<<32|tid, or 0 outside
	// Switch. Interrupt writes pending and then reads running; Switch writes
	// running and then reads pending: one of the two sees the other.
	pending atomic.Uint32
	running atomic.Uint64
}

var _ platform.Context = (*Context)(nil)

// Interrupt implements platform.Context.
func (c *Context) Interrupt() {
	if c.pending.Swap(1) != 0 {
		return // whoever set it has kicked
	}
	if id := c.running.Load(); id != 0 {
		stub.Tgkill(int32(id>>32), int32(id), kickSignal)
	}
}

// takePending clears and returns the interrupt flag.
func (c *Context) takePending() bool {
	return c.pending.Load() != 0 && c.pending.Swap(0) != 0
}

// Switch implements platform.Context.
func (c *Context) Switch(pas platform.AddressSpace, r *arch.Registers, singleStep bool) platform.Event {
	as := pas.(*AddressSpace)
	if c.as != as || c.tid == 0 {
		if errno := c.bind(as); errno != 0 {
			return platform.Event{Kind: platform.EventDied}
		}
	}
	c.p.cpus.Enter(&c.home)
	c.running.Store(uint64(as.pid)<<32 | uint64(c.tid))
	ev := c.run(r, singleStep)
	c.running.Store(0)
	c.p.cpus.Exit(&c.home)
	if ev.Kind == platform.EventDied {
		c.lost()
	}
	return ev
}

func (c *Context) run(r *arch.Registers, singleStep bool) platform.Event {
	died := platform.Event{Kind: platform.EventDied}
	if c.takePending() {
		return platform.Event{Kind: platform.EventInterrupt}
	}
	if !c.load(r) {
		return died
	}
	request := ptraceSysemu
	if singleStep {
		request = ptraceSysemuSingleStep
	}
	for {
		if ptrace(request, c.tid, 0, 0) != 0 {
			return died
		}
		status, errno := waitThread(c.tid)
		if errno != 0 || !status.Stopped() {
			return died
		}
		ev, ok := c.stop(status, r)
		if ok {
			return ev
		}
		// A kick, or a signal from outside: not the guest's business.
		if c.takePending() {
			if !c.save(r) {
				return died
			}
			return platform.Event{Kind: platform.EventInterrupt}
		}
	}
}

// load puts r into the stopped thread.
func (c *Context) load(r *arch.Registers) bool {
	v := *r
	sanitize(&v)
	if setGeneral(c.tid, &v) != 0 {
		return false
	}
	c.dirty = false
	if v.FSBase != c.hw.FSBase || v.GSBase != c.hw.GSBase || v.DS != c.hw.DS || v.ES != c.hw.ES || v.FS != c.hw.FS || v.GS != c.hw.GS {
		c.loadSegments(&v)
	}
	return true
}

// loadSegments writes the segment registers that differ. Values that the host
// refuses are left as they were: a guest with FSGSBASE can hold a base that the
// host lets nobody write, and then it differs only if someone changed it.
// Selectors go first, because writing one may change the base.
func (c *Context) loadSegments(v *arch.Registers) {
	for _, w := range [...]struct {
		word     uintptr
		new, old uint64
	}{
		{wordDS, v.DS, c.hw.DS},
		{wordES, v.ES, c.hw.ES},
		{wordFS, v.FS, c.hw.FS},
		{wordGS, v.GS, c.hw.GS},
		{wordFSBase, v.FSBase, c.hw.FSBase},
		{wordGSBase, v.GSBase, c.hw.GSBase},
	} {
		if w.new != w.old {
			pokeWord(c.tid, w.word, w.new)
		}
	}
	getRegisters(c.tid, &c.hw)
}

// save reads the stopped thread's registers into r.
func (c *Context) save(r *arch.Registers) bool {
	if getRegisters(c.tid, r) != 0 {
		return false
	}
	if r.CS != userCS {
		// PTRACE_SETREGSET takes the 32-bit layout while a thread is in
		// compatibility mode, so no stopped thread is left in it.
		pokeWord(c.tid, wordCS, userCS)
	}
	c.hw.FSBase, c.hw.GSBase, c.hw.DS, c.hw.ES, c.hw.FS, c.hw.GS = r.FSBase, r.GSBase, r.DS, r.ES, r.FS, r.GS
	return true
}

// bind gives the context a thread in as.
func (c *Context) bind(as *AddressSpace) unix.Errno {
	c.unbind()
	t, errno := as.thread()
	if errno != 0 {
		return errno
	}
	c.p.cpus.Bind(&c.home, t.tid, nil)
	if errno := seize(t.tid); errno != 0 {
		// A thread that died after the seize is ours to wait for.
		pollThread(t.tid)
		as.leave(nil)
		return errno
	}
	c.as, c.tid = as, t.tid
	if getRegisters(c.tid, &c.hw) != 0 {
		c.lost()
		return unix.ESRCH
	}
	if c.state == nil && t.used {
		c.state = arch.InitialFPU()
	}
	if c.state != nil {
		// Checked when it was set.
		c.storeFPU(c.state)
		c.state = nil
	}
	return 0
}

// unbind gives the thread back to its address space, or ends it.
func (c *Context) unbind() {
	if c.tid == 0 {
		return
	}
	tid, as := c.tid, c.as
	if as.wantsIdle() && c.park() {
		c.tid, c.as = 0, nil
		as.leave(&idleThread{tid: tid, used: true})
		return
	}
	inject(tid, stubAddress+offInject, unix.SYS_EXIT, [6]uint64{})
	c.lost()
}

// park sends the stopped thread to the parking loop and lets it go.
func (c *Context) park() bool {
	r := arch.Registers{OrigRAX: ^uint64(0), RIP: stubAddress + offPark, CS: userCS, SS: userDS, RFlags: 0x202}
	return setGeneral(c.tid, &r) == 0 && ptrace(unix.PTRACE_DETACH, c.tid, 0, 0) == 0
}

// lost ends a thread that is of no use any more, and waits for it, so that no
// zombie stays. (Its number cannot be another's before that.) A guest thread that
// died or cannot be controlled takes its whole stub with it.
func (c *Context) lost() {
	if c.tid == 0 {
		return
	}
	tid, as := c.tid, c.as
	c.tid, c.as = 0, nil
	c.p.cpus.Lost(&c.home)
	stub.Tgkill(as.pid, tid, uint(unix.SIGKILL))
	for {
		status, errno := waitThread(tid)
		if errno != 0 || status.Exited() || status.Signaled() {
			break
		}
	}
	as.leave(nil)
}

// FPU implements platform.Context.
func (c *Context) FPU() []byte {
	if c.tid == 0 {
		if c.state != nil {
			return c.state
		}
		return arch.InitialFPU()
	}
	if c.xsave == nil {
		c.xsave = make([]byte, c.p.xstateSize)
	}
	n, errno := getXState(c.tid, c.xsave)
	if errno != 0 {
		return arch.InitialFPU()
	}
	return c.xsave[:min(n, arch.FPUSize())]
}

// SetFPU implements platform.Context.
func (c *Context) SetFPU(state []byte) linux.Errno {
	if !arch.ValidFPU(state) {
		return linux.EINVAL
	}
	if c.tid == 0 {
		c.state = append(c.state[:0:0], state...)
		return 0
	}
	return c.storeFPU(state)
}

// storeFPU loads extended state into the thread. The host wants a buffer of its
// own full size, which may have room for state that guests may not use.
func (c *Context) storeFPU(state []byte) linux.Errno {
	if c.xsave == nil {
		c.xsave = make([]byte, c.p.xstateSize)
	}
	n, errno := getXState(c.tid, c.xsave)
	if errno != 0 {
		return linux.EINVAL
	}
	k := copy(c.xsave[:n], state)
	clear(c.xsave[k:n])
	if setXState(c.tid, c.xsave[:n]) != 0 {
		return linux.EINVAL
	}
	return 0
}

// Release implements platform.Context.
func (c *Context) Release() {
	c.unbind()
	c.p.cpus.Leave(&c.home)
}

// maxXState bounds the host's extended state (AMX included: 11008).
const maxXState = 32 << 10
