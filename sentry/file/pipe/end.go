package pipe

import (
	"encoding/binary"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// An End is one description's hold on a pipe: it reads, writes or, for a FIFO
// opened O_RDWR, does both.
type End struct {
	// immutable
	pipe        *Pipe
	read, write bool
	// otherGen is the count of the other side's ends ever opened, when this
	// one was and found none: a FIFO's open waits for it to change, and a reader
	// sees no hangup before it has (as in Linux).
	otherGen uint64

	// atomic
	packets atomic.Bool // O_DIRECT
}

var (
	_ vfs.Reader      = (*End)(nil)
	_ vfs.Writer      = (*End)(nil)
	_ vfs.Poller      = (*End)(nil)
	_ vfs.Ioctler     = (*End)(nil)
	_ vfs.FlagSetter  = (*End)(nil)
	_ vfs.DirectIO    = (*End)(nil)
	_ vfs.PendingOpen = (*End)(nil)
)

// New returns the two ends of a new pipe. flags may have O_DIRECT.
func New(flags linux.OpenFlags) (r, w *End) {
	p := newPipe(false)
	return p.open(linux.O_RDONLY | flags), p.open(linux.O_WRONLY | flags)
}

// open adds an end. What it waits for is open's caller's business.
func (p *Pipe) open(flags linux.OpenFlags) *End {
	e := &End{pipe: p, read: flags.Readable(), write: flags.Writable()}
	e.packets.Store(flags&linux.O_DIRECT != 0)
	p.mu.Lock()
	if e.read {
		p.readers++
		p.readerGen++
	}
	if e.write {
		p.writers++
		p.writerGen++
	}
	others := p.writers
	e.otherGen = p.writerGen
	if e.write {
		e.otherGen, others = p.readerGen, p.readers
	}
	if others > 0 {
		e.otherGen-- // the other side is there, and may go before it is looked for
	}
	p.mu.Unlock()
	p.queue.Notify(wait.Internal)
	return e
}

// Pipe returns the pipe behind the end.
func (e *End) Pipe() *Pipe { return e.pipe }

// Reopen returns a further end of the same pipe (open(2) of /proc/self/fd/N).
func (e *End) Reopen(flags linux.OpenFlags) (*End, error) {
	return openEnd(e.pipe, flags)
}

// A FIFOs opens FIFOs for the VFS.
type FIFOs struct{}

var _ vfs.FIFOOpener = FIFOs{}

// OpenFIFO implements vfs.FIFOOpener.
func (FIFOs) OpenFIFO(_ *vfs.Caller, state *vfs.InodeState, flags linux.OpenFlags) (vfs.File, error) {
	p := state.FIFO(func() any { return newPipe(true) }).(*Pipe)
	e, err := openEnd(p, flags)
	if err != nil {
		return nil, err
	}
	return e, nil
}

func openEnd(p *Pipe, flags linux.OpenFlags) (*End, error) {
	if flags&linux.O_ACCMODE == linux.O_ACCMODE {
		return nil, linux.EINVAL
	}
	if p.fifo && flags&(linux.O_ACCMODE|linux.O_NONBLOCK) == linux.O_WRONLY|linux.O_NONBLOCK {
		p.mu.Lock()
		alone := p.readers == 0
		p.mu.Unlock()
		if alone {
			return nil, linux.ENXIO
		}
	}
	return p.open(flags), nil
}

// Opened implements vfs.PendingOpen: a blocking open of one side of a FIFO
// waits for the other side, were it open only for a moment. An end of a pipe
// without a name that is opened again (/proc/self/fd/N) waits for nobody.
func (e *End) Opened() bool {
	p := e.pipe
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.fifo, e.read && e.write:
		return true
	case e.read:
		return p.writers > 0 || p.writerGen != e.otherGen
	default:
		return p.readers > 0 || p.readerGen != e.otherGen
	}
}

// OpenQueue implements vfs.PendingOpen.
func (e *End) OpenQueue() *wait.Queue { return &e.pipe.queue }

// Release implements vfs.File.
func (e *End) Release() {
	p := e.pipe
	p.mu.Lock()
	if e.read {
		p.readers--
	}
	if e.write {
		p.writers--
	}
	if p.readers == 0 && p.writers == 0 {
		p.clearLocked()
		if p.fifo {
			p.max, p.polled = DefaultSlots, false
		}
	}
	oneSided := (p.readers == 0) != (p.writers == 0)
	p.mu.Unlock()
	if oneSided {
		p.queue.Notify(readable | writable | wait.Err | wait.Hup)
	}
}

// Read implements vfs.Reader.
func (e *End) Read(dst *usermem.Seq) (int, error) {
	if !e.read {
		return 0, linux.EBADF
	}
	return e.pipe.read(dst)
}

// Write implements vfs.Writer. For EPIPE the caller raises SIGPIPE.
func (e *End) Write(src *usermem.Seq) (int, error) {
	if !e.write {
		return 0, linux.EBADF
	}
	flags := canMerge
	if e.packets.Load() {
		flags = packet
	}
	return e.pipe.write(src, flags)
}

// Readiness implements vfs.Poller.
func (e *End) Readiness(mask wait.Events) wait.Events {
	p := e.pipe
	p.mu.Lock()
	defer p.mu.Unlock()
	p.polled = true
	var ev wait.Events
	if e.read {
		if p.ring.n > 0 {
			ev |= readable
		}
		if p.writers == 0 && (!p.fifo || p.writerGen != e.otherGen) {
			ev |= wait.Hup
		}
	}
	if e.write {
		if !p.fullLocked() {
			ev |= writable
		}
		if p.readers == 0 {
			ev |= wait.Err
		}
	}
	return ev & (mask | wait.Always)
}

// Queue implements vfs.Poller.
func (e *End) Queue() *wait.Queue { return &e.pipe.queue }

// DirectIO implements vfs.DirectIO: O_DIRECT is packet mode.
func (e *End) DirectIO() {}

// SetFlags implements vfs.FlagSetter.
func (e *End) SetFlags(flags linux.OpenFlags) error {
	e.packets.Store(flags&linux.O_DIRECT != 0)
	return nil
}

// Ioctl implements vfs.Ioctler.
func (e *End) Ioctl(_ *vfs.Caller, mem usermem.Space, req uint32, arg uint64) (uintptr, error) {
	if linux.IoctlCmd(req) != linux.FIONREAD {
		return 0, linux.ENOTTY
	}
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], uint32(e.pipe.Buffered()))
	if _, err := mem.CopyOut(arg, b[:]); err != nil {
		return 0, err
	}
	return 0, nil
}
