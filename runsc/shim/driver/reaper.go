package driver

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// An Exit is how a process ended. Code is what a shell shows.
type Exit struct {
	Code int
	At   time.Time
}

// A Reaper collects the ends of this process's children.
type Reaper struct {
	mu sync.Mutex
	// guarded by mu
	waiting map[int]chan Exit
	// ended are children that nobody has asked for: a container's process may
	// end before its pid is known.
	ended map[int]Exit
}

// maxEnded bounds the ends that are remembered for nobody; most are those of
// processes that stay unknown.
const maxEnded = 4096

// NewReaper makes this process the parent of orphans below it and starts to
// collect them. There can be one.
func NewReaper() (*Reaper, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("prctl(PR_SET_CHILD_SUBREAPER): %w", err)
	}
	r := &Reaper{waiting: map[int]chan Exit{}, ended: map[int]Exit{}}
	sigs := make(chan os.Signal, 1)
	signal.Notify(sigs, syscall.SIGCHLD)
	go func() {
		for range sigs {
			r.collect()
		}
	}()
	return r, nil
}

func (r *Reaper) collect() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, unix.WNOHANG, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		e := Exit{Code: ws.ExitStatus(), At: time.Now()}
		if ws.Signaled() {
			e.Code = 128 + int(ws.Signal())
		}
		if ch, ok := r.waiting[pid]; ok {
			delete(r.waiting, pid)
			ch <- e
			continue
		}
		if len(r.ended) >= maxEnded {
			r.forgetOldLocked()
		}
		r.ended[pid] = e
	}
}

// forgetOldLocked drops half of what nobody has asked for, the older half.
func (r *Reaper) forgetOldLocked() {
	var sum time.Duration
	now := time.Now()
	for _, e := range r.ended {
		sum += now.Sub(e.At)
	}
	mean := sum / time.Duration(len(r.ended))
	for pid, e := range r.ended {
		if now.Sub(e.At) >= mean {
			delete(r.ended, pid)
		}
	}
}

// Start starts a program and returns its pid and where its end is told.
func (r *Reaper) Start(path string, argv []string, attr *os.ProcAttr) (int, <-chan Exit, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, err := os.StartProcess(path, argv, attr)
	if err != nil {
		return 0, nil, err
	}
	pid := p.Pid
	p.Release()
	delete(r.ended, pid)
	ch := make(chan Exit, 1)
	r.waiting[pid] = ch
	return pid, ch, nil
}

// Watch returns where the end of a process is told that a command has started
// since a time: the time keeps an earlier process with its pid apart.
func (r *Reaper) Watch(pid int, since time.Time) <-chan Exit {
	r.mu.Lock()
	defer r.mu.Unlock()
	ch := make(chan Exit, 1)
	e, ended := r.ended[pid]
	delete(r.ended, pid)
	if ended && e.At.After(since) {
		ch <- e
		return ch
	}
	r.waiting[pid] = ch
	return ch
}
