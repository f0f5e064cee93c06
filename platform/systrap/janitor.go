package systrap

import (
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/stub"
)

// A janitor is the thread that ends stubs nobody waits for and makes new ones
// ahead, so that neither fork nor exec nor exit has to.
type janitor struct {
	// immutable
	p    *Platform
	size int // how many unused stubs are kept ready
	done chan struct{}

	bell    bell
	thread  atomic.Int32 // its host thread, 0 before it runs
	shunned atomic.Int32 // 1 + the CPU that it leaves to the one who rang last

	// guarded by mu
	mu      sync.Mutex
	ready   []*AddressSpace
	failed  bool // no stub could be made; ask again when one is wanted
	dying   []ending
	quit    bool
	settled *sync.Cond // dying and burying may have become empty
	burying int
}

// An ending is a stub that is to be killed, or nil, and what is to be done then.
type ending struct {
	as   *AddressSpace
	done func()
}

// maxDying bounds how much memory may wait for the deaths of stubs: who adds one
// more waits itself.
const maxDying = 32

func newJanitor(p *Platform, size int) *janitor {
	j := &janitor{p: p, size: size, done: make(chan struct{})}
	j.settled = sync.NewCond(&j.mu)
	return j
}

// take returns an unused stub, making it where none is ready.
func (j *janitor) take() (*AddressSpace, unix.Errno) {
	for {
		j.mu.Lock()
		if j.quit {
			j.mu.Unlock()
			return nil, unix.ENOMEM
		}
		j.failed = false
		last := len(j.ready) - 1
		if last < 0 {
			j.mu.Unlock()
			return j.p.newAddressSpace()
		}
		as := j.ready[last]
		j.ready = j.ready[:last]
		j.mu.Unlock()
		j.ring()
		if !as.gone(0) {
			return as, 0
		}
		as.Release() // it was killed
	}
}

// bury ends a stub some time soon. It reports false if the caller has to.
func (j *janitor) bury(as *AddressSpace, done func()) bool {
	j.mu.Lock()
	if j.quit || len(j.dying)+j.burying >= maxDying {
		j.mu.Unlock()
		return false
	}
	j.dying = append(j.dying, ending{as, done})
	j.mu.Unlock()
	j.ring()
	return true
}

// ring wakes the janitor, on another CPU than the caller's if there is one to
// spare: the host would have them take turns on this one while others are idle.
func (j *janitor) ring() {
	if tid := j.thread.Load(); tid != 0 {
		shun := int32(0)
		if j.p.place.Spare() { // one CPU: shunning it fails
			shun = 1 + int32(stub.CurrentCPU())
		}
		if j.shunned.Swap(shun) != shun {
			cpus := *j.p.place.All()
			if shun != 0 {
				cpus[(shun-1)/64] &^= 1 << ((shun - 1) % 64)
			}
			stub.SetAffinitySet(tid, &cpus) // not if that is none
		}
	}
	j.bell.ring()
}

// run does what there is to do until stop is called. It has a thread of its own,
// which sleeps in the host's kernel: its work is not to delay that of tasks.
func (j *janitor) run() {
	defer close(j.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	j.thread.Store(stub.CurrentThread())
	for {
		j.mu.Lock()
		dying := j.dying
		j.dying = nil
		j.burying = len(dying)
		short := len(j.ready) < j.size && !j.failed
		quit := j.quit
		j.mu.Unlock()
		switch {
		case len(dying) > 0:
			j.end(dying)
		case quit:
			return
		case short:
			j.refill()
		default:
			j.bell.wait()
		}
	}
}

// end kills stubs and waits for their deaths.
func (j *janitor) end(dying []ending) {
	for _, d := range dying {
		if d.as != nil {
			d.as.kill(j.p.place.All())
		}
	}
	for _, d := range dying {
		if d.as != nil {
			d.as.bury()
		}
		d.done()
	}
	j.mu.Lock()
	j.burying = 0
	j.settled.Broadcast()
	j.mu.Unlock()
}

// refill makes one stub.
func (j *janitor) refill() {
	as, errno := j.p.newAddressSpace()
	j.mu.Lock()
	defer j.mu.Unlock()
	if errno != 0 {
		j.failed = true
		return
	}
	j.ready = append(j.ready, as)
}

// settle waits until every stub that bury was given has ended.
func (j *janitor) settle() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for len(j.dying)+j.burying > 0 {
		j.settled.Wait()
	}
}

// stop ends the thread and the unused stubs.
func (j *janitor) stop() {
	j.mu.Lock()
	j.quit = true
	j.mu.Unlock()
	j.bell.ring()
	<-j.done
	j.thread.Store(0)
	for _, as := range j.ready {
		as.Release()
	}
	j.ready = nil
}

// NewAddressSpace implements platform.Platform.
func (p *Platform) NewAddressSpace() (platform.AddressSpace, linux.Errno) {
	as, errno := p.janitor.take()
	if errno != 0 {
		return nil, linux.ENOMEM
	}
	return as, 0
}

// Behind implements platform.Settler.
func (p *Platform) Behind(f func()) {
	if !p.janitor.bury(nil, f) {
		f()
	}
}

// Settle implements platform.Settler.
func (p *Platform) Settle() { p.janitor.settle() }

// ReleaseLate implements platform.LateReleaser.
func (as *AddressSpace) ReleaseLate(done func()) {
	if !as.abandon() {
		done()
		return
	}
	if !as.p.janitor.bury(as, done) {
		as.kill(nil)
		as.bury()
		done()
	}
}

// Release implements platform.AddressSpace. The stub is killed, and gone when this
// returns: a hostile guest thread may have been running all the time.
func (as *AddressSpace) Release() {
	if as.abandon() {
		as.kill(nil)
		as.bury()
	}
}

// abandon makes the stub one that nobody can use any more. It reports false if it
// is already.
func (as *AddressSpace) abandon() bool {
	as.applyMu.Lock()
	defer as.applyMu.Unlock()
	as.mu.Lock()
	defer as.mu.Unlock()
	if as.released {
		return false
	}
	as.released = true
	as.idle = nil
	as.mapped = stub.Spans{}
	return true
}

// kill kills the stub. Its threads die on any of cpus, if not nil, so as not to be
// in the way of the one that they were bound to.
func (as *AddressSpace) kill(cpus *[16]uint64) {
	if cpus != nil {
		stub.SetAffinitySet(as.pid, cpus)
		as.mu.Lock()
		for _, tid := range as.tids {
			stub.SetAffinitySet(tid, cpus)
		}
		as.mu.Unlock()
	}
	unix.Kill(int(as.pid), unix.SIGKILL)
}

// bury waits for the stub's death and gives back what it had.
func (as *AddressSpace) bury() {
	as.gone(-1)
	unix.Close(as.pidfd)
	as.mu.Lock()
	defer as.mu.Unlock()
	as.buried = true
	as.slots = append(as.slots, as.page)
	as.freeLocked()
}
