package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
)

// TestCallsAreListed holds Calls against the source, both ways.
func TestCallsAreListed(t *testing.T) {
	files, _ := filepath.Glob("*.go")
	src := ""
	for _, f := range files {
		if f == "calls.go" || strings.HasSuffix(f, "_test.go") {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		src += string(b)
	}
	listed := map[string]bool{}
	for _, c := range Calls() {
		listed[c.Name] = true
		sys := "unix.SYS_" + strings.ToUpper(c.Name)
		if !regexp.MustCompile(regexp.QuoteMeta(sys) + `\b|// ` + c.Name + `\n`).MatchString(src) {
			t.Errorf("%s is listed but not made", c.Name)
		}
		if c.Reason == "" {
			t.Errorf("%s has no reason", c.Name)
		}
	}
	for _, m := range regexp.MustCompile(`unix\.SYS_(\w+)`).FindAllStringSubmatch(src, -1) {
		if !listed[strings.ToLower(m[1])] {
			t.Errorf("%s is made but not listed", m[1])
		}
	}
}

func TestErrno(t *testing.T) {
	for _, c := range []struct {
		err  error
		want linux.Errno
	}{
		{nil, 0}, {unix.ENOENT, linux.ENOENT}, {linux.EPERM, linux.EPERM}, {errors.New("x"), linux.EIO},
		{fmt.Errorf("open: %w", unix.EACCES), linux.EACCES},
	} {
		if got := Errno(c.err); got != c.want {
			t.Errorf("Errno(%v) is %v, want %v", c.err, got, c.want)
		}
	}
	if Error(nil) != nil {
		t.Error("no error became one")
	}
}

func TestDescriptorsTravel(t *testing.T) {
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer Close(p[0])
	defer Close(p[1])
	ev, err := Eventfd(7, linux.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer Close(ev)
	if _, err := SendFDs(p[0], []byte("x"), ev); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 8)
	n, fds, err := RecvFDs(p[1], buf, 1)
	if err != nil || n != 1 || len(fds) != 1 {
		t.Fatalf("received %d %v %v", n, fds, err)
	}
	defer Close(fds[0])
	if n, err := Read(fds[0], buf); err != nil || n != 8 || buf[0] != 7 {
		t.Errorf("the counter reads %v, %v", buf, err)
	}
	if _, err := SendFDs(p[0], []byte("x"), ev, ev, ev); err != nil {
		t.Fatal(err)
	}
	if _, _, err := RecvFDs(p[1], buf, 1); err != linux.EPROTO {
		t.Errorf("too many descriptors give %v", err)
	}
}

func TestWaits(t *testing.T) {
	var word uint32
	if err := FutexWait(&word, 1); err != linux.EAGAIN {
		t.Errorf("futex of another value gives %v", err)
	}
	ev, err := Eventfd(1, linux.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer Close(ev)
	fds := []linux.PollFD{{FD: linux.FD(ev), Events: linux.POLLIN}}
	if n, err := Poll(fds, -1); n != 1 || err != nil || fds[0].Revents != linux.POLLIN {
		t.Errorf("poll: %d, %v, %v", n, fds, err)
	}
	ep, err := EpollCreate(linux.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer Close(ep)
	if err := EpollCtl(ep, linux.EPOLL_CTL_ADD, ev, &linux.EpollEvent{Events: linux.EPOLLIN, Data: [2]uint32{5, 6}}); err != nil {
		t.Fatal(err)
	}
	evs := new([2]linux.EpollEvent)
	if n, err := EpollRest(ep, evs); n != 1 || err != nil || evs[0].Data != [2]uint32{5, 6} {
		t.Errorf("epoll: %d, %v, %v", n, evs, err)
	}
}

// Many goroutines sleep, on threads of their own as tasks do, while others collect
// garbage, grow their stacks and wake them.
func TestFutexWaitBesideTheScheduler(t *testing.T) {
	const sleepers, rounds = 20, 50
	var words [sleepers]uint32
	var group sync.WaitGroup
	for i := range words {
		group.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			for range rounds {
				for !atomic.CompareAndSwapUint32(&words[i], 1, 0) {
					_ = FutexWait(&words[i], 0) // the loop looks again
				}
				if deep(1000) != 1000 {
					t.Error("a stack was lost")
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	for {
		for i := range words {
			if atomic.CompareAndSwapUint32(&words[i], 0, 1) {
				_, _ = FutexWake(&words[i], 1)
			}
		}
		select {
		case <-done:
			return
		default:
			runtime.GC()
		}
	}
}

func deep(n int) int {
	if n == 0 {
		return 0
	}
	return deep(n-1) + 1
}
