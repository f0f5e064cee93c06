package socket

import (
	"cordon/internal/linux"
	"cordon/sentry/bpf"
)

// Filtering is a family that shows what it receives to the program of SO_ATTACH_FILTER; a family without it refuses the
// option.
type Filtering interface {
	// FilterAttached is told of a program, nil when it was taken off, before it is in use; it may refuse it.
	FilterAttached(p *bpf.Program) error
}

var commonFilter = []Row[*Base]{
	{linux.SOL_SOCKET, int32(linux.SO_ATTACH_FILTER), "SO_ATTACH_FILTER", getFilter, attachFilter, Partial, "not on TCP and unix sockets; no eBPF"},
	{linux.SOL_SOCKET, int32(linux.SO_DETACH_FILTER), "SO_DETACH_FILTER", nil, detachFilter, Full, ""},
	{
		linux.SOL_SOCKET, int32(linux.SO_LOCK_FILTER), "SO_LOCK_FILTER",
		func(b *Base, c *OptionCall) error { return c.PutFlag(b.Has(FilterLocked)) }, lockFilter, Full, "",
	},
}

// Filter returns the program of SO_ATTACH_FILTER, nil when there is none.
func (b *Base) Filter() *bpf.Program { return b.filter.Load() }

// Passes shows a packet to the filter and returns how many bytes of it are wanted: 0 when it is not.
func (b *Base) Passes(p *bpf.Packet) int {
	f := b.filter.Load()
	if f == nil {
		return len(p.Bytes)
	}
	return int(min(uint64(f.Run(p)), uint64(len(p.Bytes))))
}

// attachFilter gets the instructions: the system call has followed the pointer in struct sock_fprog.
func attachFilter(b *Base, c *OptionCall) error {
	f, ok := b.hooks.(Filtering)
	if !ok {
		return linux.ENOPROTOOPT
	}
	if b.Has(FilterLocked) {
		return linux.EPERM
	}
	p, errno := bpf.Compile(bpf.Parse(c.Value))
	if errno != 0 {
		return errno
	}
	if err := f.FilterAttached(p); err != nil {
		return err
	}
	b.filter.Store(p)
	return nil
}

// getFilter refuses SO_GET_FILTER, whose length counts instructions.
func getFilter(*Base, *OptionCall) error {
	return linux.EOPNOTSUPP
}

func detachFilter(b *Base, _ *OptionCall) error {
	f, ok := b.hooks.(Filtering)
	if !ok {
		return linux.ENOPROTOOPT
	}
	if b.Has(FilterLocked) {
		return linux.EPERM
	}
	if b.filter.Load() == nil {
		return linux.ENOENT
	}
	if err := f.FilterAttached(nil); err != nil {
		return err
	}
	b.filter.Store(nil)
	return nil
}

func lockFilter(b *Base, c *OptionCall) error {
	on, err := c.Flag()
	if err != nil {
		return err
	}
	if b.Has(FilterLocked) && !on {
		return linux.EPERM
	}
	b.SetFlag(FilterLocked, on)
	return nil
}
