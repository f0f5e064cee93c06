package task

import (
	"runtime"
	"sync/atomic"

	"cordon/internal/lock"
	"cordon/platform"
)

// A worker is a goroutine with an OS thread of its own that runs one task after
// another. Between two it sleeps in the host's kernel, from where it is woken at
// once; a goroutine made anew waits until Go's scheduler has looked around, which
// takes 50 us and more while the others sleep in the kernel.
//
// A task that sleeps aside (aside.go) is no worker's, and whoever is free goes on with
// it when it is woken.
type worker struct {
	next *Task // set before wake is put; nil: look for one, or end
	wake token

	// the worker's own
	footing platform.Footing // what a context has left on its thread, or nil
	begun   bool

	// guarded by workers.mu
	called bool // it counts in workers.coming
}

// maxWorkers is how many are kept without a task.
const maxWorkers = 8

// workers are those of a system, and the tasks that wait for one.
type workers struct {
	// atomic
	waiting atomic.Int32 // tasks from first to last
	held    atomic.Int32 // who holds calls of workers back

	// guarded by mu
	mu          lock.Mutex[lock.Workers]
	idle        []*worker
	first, last *Task
	coming      int // workers that have been called, and have not looked since
	ended       bool
}

// begin has a worker run a task that is new.
func (s *System) begin(t *Task) {
	p := &s.workers
	p.mu.Lock()
	w := p.idleLocked()
	p.mu.Unlock()
	if w != nil {
		w.next = t
		w.wake.put()
		return
	}
	s.addWorker(&worker{next: t})
}

func (s *System) addWorker(w *worker) {
	if s.Turn == nil && s.started.Load() > 1 {
		s.spare.Do(addSpareProcs)
	}
	w.begun = true
	go func() {
		runtime.LockOSThread()
		w.work(s)
		s.unlockThread()
	}()
}

// idleLocked takes a worker without a task, nil if there is none.
func (p *workers) idleLocked() *worker {
	last := len(p.idle) - 1
	if last < 0 {
		return nil
	}
	w := p.idle[last]
	p.idle[last] = nil
	p.idle = p.idle[:last]
	return w
}

// work runs tasks, w.next first, as long as there is room among the idle workers, and any
// task at all: a sandbox that has ended leaves no thread.
func (w *worker) work(s *System) {
	t := w.next
	for {
		if t != nil {
			w.next = nil
			w.footing = t.runOn(w.footing)
		}
		if t = s.nextTask(w); t == nil {
			break
		}
	}
	if w.footing != nil {
		w.footing.Leave()
	}
}

// nextTask waits for w's next task, nil: w is to end.
func (s *System) nextTask(w *worker) *Task {
	p := &s.workers
	for {
		p.mu.Lock()
		if w.called {
			w.called = false
			p.coming--
		}
		if t := p.first; t != nil {
			p.first, t.after = t.after, nil
			p.waiting.Add(-1)
			more := p.callLocked() // which calls the next
			p.mu.Unlock()
			s.call(more)
			return t
		}
		if p.ended || len(p.idle) == maxWorkers {
			p.mu.Unlock()
			return nil
		}
		p.idle = append(p.idle, w)
		p.mu.Unlock()
		w.wake.take()
		if w.next != nil {
			return w.next
		}
	}
}

// callLocked returns a worker to call for the tasks that wait, nil if none does or one is
// coming.
func (p *workers) callLocked() *worker {
	if p.first == nil || p.coming > 0 {
		return nil
	}
	w := p.idleLocked()
	if w == nil {
		w = &worker{}
	}
	w.called = true
	p.coming++
	return w
}

// call has a worker of callLocked look for a task.
func (s *System) call(w *worker) {
	switch {
	case w == nil:
	case w.begun:
		w.wake.put()
	default:
		s.addWorker(w)
	}
}

// endWorkers ends the workers, and those who watch limits, once no task is left.
func (s *System) endWorkers() {
	s.endWatch()
	p := &s.workers
	p.mu.Lock()
	p.ended = true
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, w := range idle {
		w.wake.put()
	}
}

// spareProcs is how many more of Go's processors the Sentry has than there are, once a
// second task starts. A task's thread keeps one while it waits in the host's kernel, for
// its guest or for what wakes it, until Go's monitor notices, 20 us later or more.
// Without spare ones a third task that wakes up waits for that: a ring of ten that wake
// each other took 20 us a step instead of 12, a wake-up of a thousand 75 us for each
// instead of 40. Each costs 0.2 MB, with the thread that it brings.
const spareProcs = 3

func addSpareProcs() {
	if n := runtime.NumCPU(); runtime.GOMAXPROCS(0) == n { // else somebody has chosen
		runtime.GOMAXPROCS(n + spareProcs)
	}
}
