package clients

import (
	"fmt"
	"net"
	"os"
	goruntime "runtime"
	"time"

	"golang.org/x/sys/unix"
)

// dialInside connects to a TCP address of the world's network.
func (w *world) dialInside(address string) (net.Conn, error) {
	return dialFrom(fmt.Sprintf("/proc/%d/ns/net", w.holder.Process.Pid), address)
}

// dialFrom connects to a TCP address within a network namespace.
func dialFrom(namespace, address string) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result)
	go func() {
		// The thread is left in the namespace and ends with the goroutine.
		goruntime.LockOSThread()
		ns, err := os.Open(namespace)
		if err != nil {
			done <- result{nil, err}
			return
		}
		defer ns.Close()
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- result{nil, err}
			return
		}
		// A numeric address is dialled on this thread.
		conn, err := net.DialTimeout("tcp", address, 10*time.Second)
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}
