package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"example.org/hello/greet"
)

func main() {
	for _, a := range os.Args[1:] {
		if a == "fail" {
			os.Exit(4)
		}
		fmt.Println(greet.Hello(a))
	}
	fmt.Println(goroutines(), collected(), command(), server(), signalled(), crash())
}

func goroutines() int64 {
	var n atomic.Int64
	var wg sync.WaitGroup
	ch := make(chan int64)
	for range 200 {
		wg.Go(func() {
			for v := range ch {
				n.Add(v)
				runtime.Gosched()
			}
		})
	}
	for i := range int64(5000) {
		ch <- i
	}
	close(ch)
	wg.Wait()
	return n.Load()
}

func collected() bool {
	var keep [][]byte
	for i := range 2000 {
		keep = append(keep, make([]byte, 64<<10))
		if i%100 == 0 {
			keep = nil
		}
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.NumGC > 0
}

func command() string {
	out, err := exec.Command("sh", "-c", "echo from sh; exit 3").Output()
	return fmt.Sprintf("%q %v", out, err)
}

func server() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err.Error()
	}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) }))
	resp, err := http.Get("http://" + l.Addr().String() + "/path")
	if err != nil {
		return err.Error()
	}
	b, err := io.ReadAll(resp.Body)
	return fmt.Sprint(string(b), err)
}

func signalled() string {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	select {
	case s := <-c:
		return s.String()
	case <-time.After(10 * time.Second):
		return "no signal"
	}
}

// crash recovers from a fault that the kernel delivered as SIGSEGV.
func crash() (err any) {
	defer func() { err = recover() }()
	var p *int
	return *p
}
