package sentry

import (
	"slices"
	"strconv"
	"time"

	"cordon/internal/host"
	"cordon/internal/linux"
	"cordon/sentry/fs/devpts"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// A console joins a process's terminal in the sandbox to the host's terminal.
type console struct {
	// immutable
	k      *Kernel
	master *vfs.Description
	stdio  [3]int32 // the host's, closed when the console ends
	in     int
	out    int
	stop   int // an eventfd that ends input

	// flushes asks output to answer, by closing what it is sent, once it has
	// carried all that was written so far; ended is closed when it returns.
	flushes chan chan struct{}
	ended   chan struct{}
}

// flushTime bounds how long the end of a process waits for the host's terminal
// to take its last output: the terminal may be stopped.
const flushTime = 2 * time.Second

// terminal gives p a terminal of the sandbox as its standard files and starts
// to carry bytes between it and the host's terminal at stdio[0].
func (ct *Container) terminal(p *Process, stdio [3]int32, fds *vfs.FDTable) (*vfs.FDTable, vfs.TTY, *console, error) {
	fail := func(what string, err error) (*vfs.FDTable, vfs.TTY, *console, error) {
		fds.DecRef()
		return nil, nil, nil, &StartError{Message: "terminal: " + what + ": " + err.Error()}
	}
	c := ct.kernelCaller()
	master, err := vfs.Open(c, c.Root, "/dev/pts/ptmx", vfs.OpenHow{Flags: linux.O_RDWR | linux.O_NOCTTY})
	if err != nil {
		return fail("/dev/pts/ptmx", err)
	}
	m := master.File().(*devpts.Master)
	m.Unlock()
	slave, err := vfs.Open(c, c.Root, "/dev/pts/"+strconv.Itoa(int(m.Index())), vfs.OpenHow{Flags: linux.O_RDWR | linux.O_NOCTTY})
	if err != nil {
		master.DecRef()
		return fail("/dev/pts/"+strconv.Itoa(int(m.Index())), err)
	}
	for fd := range linux.FD(3) {
		slave.IncRef()
		if err := fds.Replace(fd, slave, vfs.NROpen, 0); err != nil {
			slave.DecRef()
		}
	}
	slave.DecRef()
	stop, err := host.Eventfd(0, linux.EFD_CLOEXEC)
	if err != nil {
		master.DecRef()
		return fail("eventfd", err)
	}
	con := &console{k: ct.kernel, master: master, stdio: stdio, in: int(stdio[0]), out: int(stdio[0]), stop: stop,
		flushes: make(chan chan struct{}), ended: make(chan struct{})}
	if stdio[1] >= 0 {
		con.out = int(stdio[1])
	}
	con.resize(p.Rows, p.Cols)
	go con.carry()
	return fds, m.TTY(), con, nil
}

// carry works until the last program has closed the terminal, and then closes
// the host's, so that whoever holds its other end sees that.
func (c *console) carry() {
	typed := make(chan struct{})
	go func() {
		c.input()
		close(typed)
	}()
	c.output()
	_, _ = host.Write(c.stop, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // an eventfd takes it
	<-typed
	for i, fd := range c.stdio {
		if fd >= 0 && !slices.Contains(c.stdio[:i], fd) {
			_ = host.Close(int(fd))
		}
	}
	_ = host.Close(c.stop)
	c.master.DecRef()
}

// resize tells the terminal its size.
func (c *console) resize(rows, cols uint16) {
	c.master.File().(*devpts.Master).SetWinsize(linux.Winsize{Row: rows, Col: cols})
}

// input carries what is typed until the host's terminal ends, or output has.
func (c *console) input() {
	buf := make([]byte, 4096)
	for {
		fds := []linux.PollFD{{FD: linux.FD(c.in), Events: linux.POLLIN}, {FD: linux.FD(c.stop), Events: linux.POLLIN}}
		if _, err := host.Poll(fds, -1); err == error(linux.EINTR) {
			continue
		} else if err != nil || fds[1].Revents != 0 {
			return
		}
		n, err := host.Read(c.in, buf)
		if err == error(linux.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return
		}
		c.move(wait.Out, usermem.OfBytes(buf[:n]), func(s *usermem.Seq) (int, error) { return c.master.Write(nil, s) })
	}
}

// move calls f until s is empty, sleeping on the master in between.
func (c *console) move(mask wait.Events, s usermem.Seq, f func(s *usermem.Seq) (int, error)) bool {
	for s.Len() > 0 {
		_, err := f(&s)
		switch {
		case err == error(linux.EAGAIN):
			c.await(mask, nil)
		case err != nil:
			return false
		}
	}
	return true
}

// await sleeps until the master is ready for mask or a flush is asked for.
func (c *console) await(mask wait.Events, flushes <-chan chan struct{}) chan struct{} {
	e, ch := wait.Channel(mask)
	q := c.master.Queue()
	q.Add(e)
	defer q.Remove(e)
	if c.master.Readiness(mask) == 0 {
		select {
		case <-ch:
		case flush := <-flushes:
			return flush
		}
	}
	return nil
}

// flush waits until what programs have written is at the host's terminal.
func (c *console) flush() {
	late := time.After(flushTime)
	done := make(chan struct{})
	select {
	case c.flushes <- done:
		select {
		case <-done:
		case <-c.ended:
		case <-late:
		}
	case <-c.ended:
	case <-late:
	}
}

// output carries what programs write until the last of them has closed the
// terminal.
func (c *console) output() {
	defer close(c.ended)
	var flush chan struct{}
	buf := make([]byte, 16<<10)
	for {
		dst := usermem.OfBytes(buf)
		n, err := c.master.Read(nil, &dst)
		if err == error(linux.EAGAIN) {
			if flush != nil {
				close(flush)
			}
			flush = c.await(wait.In, c.flushes)
			continue
		}
		if n == 0 || err != nil {
			return
		}
		for b := buf[:n]; len(b) > 0; {
			w, err := host.Write(c.out, b)
			if err != nil && err != error(linux.EINTR) {
				return
			}
			b = b[w:]
		}
	}
}
