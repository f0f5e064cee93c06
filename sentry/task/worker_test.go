package task

import "testing"

// TestWaitingTasks: tasks that have been woken wait for a worker in their order. One is
// called for all, and each calls the next; who holds calls back makes one later.
func TestWaitingTasks(t *testing.T) {
	s := &System{}
	p := &s.workers
	asleep := []*worker{{begun: true}, {begun: true}, {begun: true}}
	p.idle = append(p.idle, asleep...)
	called := func() (n int) {
		for _, w := range asleep {
			if w.wake.there() {
				n++
			}
		}
		return n
	}
	tasks := []*Task{{sys: s}, {sys: s}, {sys: s}}

	p.held.Add(1)
	s.pass(tasks[0])
	if called() != 0 {
		t.Error("a worker is called while that is held back")
	}
	p.held.Add(-1)
	s.handOn()
	s.pass(tasks[1])
	s.pass(tasks[2])
	if called() != 1 {
		t.Errorf("%d workers are called at once", called())
	}
	for i, want := range tasks {
		w := asleep[len(asleep)-1-i]
		if !w.wake.there() {
			t.Fatalf("nobody has been called for task %d", i)
		}
		if got := s.nextTask(w); got != want {
			t.Errorf("task %d is not the next", i)
		}
	}
	s.handOn()
	if len(p.idle) != 0 || p.coming != 0 || p.waiting.Load() != 0 {
		t.Errorf("%d idle, %d called, %d wait", len(p.idle), p.coming, p.waiting.Load())
	}
	p.ended = true
	if s.nextTask(asleep[0]) != nil {
		t.Error("a task after the end")
	}
}

// TestAsideToken: of a token and a task that steps aside one comes first, and who puts
// the token knows.
func TestAsideToken(t *testing.T) {
	var k token
	if !k.leave() || k.put() != tokenAside || !k.there() {
		t.Error("put does not tell that nobody waits")
	}
	if k.leave() {
		t.Error("a task steps aside that has been woken")
	}
	k.take()
	if !k.leave() {
		t.Error("the token is there twice")
	}
}
