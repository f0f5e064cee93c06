package task

import "runtime"

// A worker is a goroutine with an OS thread of its own that runs one task after
// another. Between two it sleeps in the host's kernel, from where it is woken at
// once; a goroutine made anew waits until Go's scheduler has looked around, which
// takes 50 us and more while the others sleep in the kernel.
type worker struct {
	next *Task // set before wake is put; nil: end
	wake token
}

// maxWorkers is how many are kept without a task.
const maxWorkers = 8

// idleWorkerTreeLocked returns a worker without a task, or nil.
func (s *System) idleWorkerTreeLocked() *worker {
	last := len(s.workers) - 1
	if last < 0 {
		return nil
	}
	w := s.workers[last]
	s.workers[last] = nil
	s.workers = s.workers[:last]
	return w
}

// begin has w, or a new worker if it is nil, run a task.
func (w *worker) begin(t *Task) {
	if w == nil {
		if t.sys.Turn == nil && t.sys.started.Load() > 1 {
			t.sys.spare.Do(addSpareProcs)
		}
		w = &worker{next: t}
		go w.run(t.sys)
		return
	}
	w.next = t
	w.wake.put()
}

// run runs tasks as long as there is room among the idle workers, and any task at
// all: a sandbox that has ended leaves no thread.
func (w *worker) run(s *System) {
	w.next.lockThread()
	for w.next != nil {
		w.next.run()
		w.next = nil
		s.tree.Lock()
		done := s.live == 0 || len(s.workers) == maxWorkers
		if !done {
			s.workers = append(s.workers, w)
		}
		s.tree.Unlock()
		if done {
			break
		}
		w.wake.take()
	}
	s.unlockThread()
}

// endWorkers ends the workers, and those who watch limits, once no task is left.
func (s *System) endWorkers() {
	s.endWatch()
	s.tree.Lock()
	idle := s.workers
	s.workers = nil
	s.tree.Unlock()
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
