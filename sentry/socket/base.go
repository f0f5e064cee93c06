package socket

import (
	"encoding/binary"
	"math"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/bpf"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// NoTimeout is the absence of a timeout.
const NoTimeout = math.MaxInt64

// Buffer sizes in bytes of data; guests see and set them doubled, as in Linux.
const (
	DefaultBuffer = 106496 // net.core.{w,r}mem_default halved
	MaxBuffer     = 212992 // net.core.{w,r}mem_max
	MinSendBuffer = 2304
	MinRecvBuffer = 1152
	// forcedMax bounds SO_SNDBUFFORCE and SO_RCVBUFFORCE.
	forcedMax = 256 << 20
)

// Hooks is what a family has to say to the options of SOL_SOCKET.
type Hooks interface {
	// Changed is told that a common option was set and may refuse it; the stored value then stays as it was.
	Changed(c *vfs.Caller, opt linux.SockOpt, o *Options) error
	// TakeError returns and clears SO_ERROR.
	TakeError() error
	// Listening is SO_ACCEPTCONN.
	Listening() bool
	// Buffers are the sizes in use, which a family may adjust on its own.
	Buffers(o *Options) (send, receive int)
}

// Options are the common options of a socket.
type Options struct {
	Flags          OptionFlags
	SendBuffer     int // as asked for, in bytes of data; 0 until set
	ReceiveBuffer  int
	ReceiveTimeout int64 // nanoseconds
	SendTimeout    int64
	LingerOn       bool
	LingerSec      int32
	RcvLowat       int32
	Priority       int32
	Mark           uint32
	PeekOff        int32 // -1: off
	Device         int32
}

// OptionFlags are the options of SOL_SOCKET that are on or off.
type OptionFlags uint32

const (
	ReuseAddr OptionFlags = 1 << iota
	ReusePort
	KeepAlive
	Broadcast
	OOBInline
	NoCheck
	DontRoute
	PassCred
	PassPIDFD
	TimestampUS
	TimestampNS
	SendLocked // SO_BUF_LOCK
	ReceiveLocked
	FilterLocked // SO_LOCK_FILTER
)

// A Base is what every socket has.
type Base struct {
	// immutable after Init
	info  Info
	ns    *Namespace
	hooks Hooks

	queue wait.Queue

	// atomic
	desc   atomic.Pointer[vfs.Description] // not counted
	cookie atomic.Uint64
	filter atomic.Pointer[bpf.Program] // SO_ATTACH_FILTER

	// atomic: of opts, for the data path
	flags      atomic.Uint32
	sendBuffer atomic.Int64
	peekOff    atomic.Int32

	mu lock.Mutex[lock.SocketOptions]
	// guarded by mu
	opts Options
}

// Init makes b ready; before anyone else sees it.
func (b *Base) Init(ns *Namespace, i Info, h Hooks) {
	b.info, b.ns, b.hooks = i, ns, h
	b.opts = Options{ReceiveTimeout: NoTimeout, SendTimeout: NoTimeout, RcvLowat: 1, PeekOff: -1}
	b.peekOff.Store(b.opts.PeekOff)
	b.cookie.Store(ns.seq.Add(1))
}

// Info is what the socket was made with.
func (b *Base) Info() Info { return b.info }

// Basis returns b, for a namespace's list.
func (b *Base) Basis() *Base { return b }

// Namespace returns where the socket was made.
func (b *Base) Namespace() *Namespace { return b.ns }

// Queue implements vfs.Poller.
func (b *Base) Queue() *wait.Queue { return &b.queue }

// SetDescription implements vfs.DescriptionAware.
func (b *Base) SetDescription(d *vfs.Description) { b.desc.Store(d) }

// Description returns the socket's description, nil before it has one. It is not a reference.
func (b *Base) Description() *vfs.Description { return b.desc.Load() }

// Inode returns the inode's number and owner, 0 before there is a description.
func (b *Base) Inode() (ino uint64, uid uint32) {
	d := b.desc.Load()
	if d == nil {
		return 0, 0
	}
	a, err := d.Attr()
	if err != nil {
		return 0, 0
	}
	return a.Ino, a.UID
}

// Has reports whether one of the flags is on.
func (b *Base) Has(f OptionFlags) bool { return OptionFlags(b.flags.Load())&f != 0 }

// Options returns a copy of the options.
func (b *Base) Options() Options {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.opts
}

// SendBuffer is SO_SNDBUF as asked for, 0 until set.
func (b *Base) SendBuffer() int { return int(b.sendBuffer.Load()) }

// publishLocked tells the data path of changed options.
func (b *Base) publishLocked() {
	b.mu.AssertHeld()
	b.flags.Store(uint32(b.opts.Flags))
	b.sendBuffer.Store(int64(b.opts.SendBuffer))
	b.peekOff.Store(b.opts.PeekOff)
}

// Inherit takes over a listener's options.
func (b *Base) Inherit(o Options) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opts = o
	b.publishLocked()
}

// SetFlag turns a flag on or off.
func (b *Base) SetFlag(f OptionFlags, on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if on {
		b.opts.Flags |= f
	} else {
		b.opts.Flags &^= f
	}
	b.publishLocked()
}

// PeekOff is where a peek begins.
func (b *Base) PeekOff() int { return int(max(0, b.peekOff.Load())) }

// MovePeekOff shifts a set peek offset: forward by a peek, back by a read.
func (b *Base) MovePeekOff(by int) {
	if b.peekOff.Load() < 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.opts.PeekOff >= 0 {
		b.opts.PeekOff = int32(max(0, int(b.opts.PeekOff)+by))
		b.publishLocked()
	}
}

// Timeouts implements Optioner.
func (b *Base) Timeouts() (receive, send int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.opts.ReceiveTimeout, b.opts.SendTimeout
}

// update changes the options if the family agrees.
func (b *Base) update(c *OptionCall, change func(*Options)) error {
	b.mu.Lock()
	o := b.opts
	b.mu.Unlock()
	change(&o)
	if err := b.hooks.Changed(c.Caller, linux.SockOpt(c.Opt), &o); err != nil {
		return err
	}
	b.mu.Lock()
	change(&b.opts)
	b.publishLocked()
	b.mu.Unlock()
	return nil
}

// SizeOf is FIONREAD's and SIOCOUTQ's answer in guest memory.
func SizeOf(n int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(n)) }
