package sentry

import (
	"bytes"
	"errors"
	"io"
	"slices"

	"cordon/checkpoint"
	"cordon/gofer/client"
	"cordon/netstack"
	"cordon/platform"
	"cordon/platform/memfile"
	"cordon/sentry/cgroup"
	"cordon/sentry/cred"
	"cordon/sentry/ebpf"
	"cordon/sentry/file/epoll"
	"cordon/sentry/file/eventfd"
	"cordon/sentry/file/hostfd"
	"cordon/sentry/file/inotify"
	"cordon/sentry/file/pipe"
	"cordon/sentry/file/signalfd"
	"cordon/sentry/file/timerfd"
	"cordon/sentry/fs/devpts"
	"cordon/sentry/fs/goferfs"
	"cordon/sentry/fs/mqueue"
	"cordon/sentry/fs/overlay"
	"cordon/sentry/fs/procfs"
	"cordon/sentry/fs/tmpfs"
	"cordon/sentry/ipc"
	"cordon/sentry/ktime"
	"cordon/sentry/limit"
	"cordon/sentry/loader"
	"cordon/sentry/memmap"
	"cordon/sentry/mm"
	"cordon/sentry/signal"
	"cordon/sentry/socket"
	"cordon/sentry/socket/hostinet"
	"cordon/sentry/socket/inet"
	"cordon/sentry/socket/netlink"
	"cordon/sentry/socket/packet"
	"cordon/sentry/socket/tun"
	"cordon/sentry/socket/unix"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// kinds are all objects that a checkpoint can hold.
func kinds() []checkpoint.Kind {
	return slices.Concat(
		cred.Kinds(), limit.Kinds(), cgroup.Kinds(), ebpf.Kinds(), signal.Kinds(), mm.Kinds(), vfs.Kinds(), task.Kinds(), loader.Kinds(),
		pipe.Kinds(), eventfd.Kinds(), timerfd.Kinds(), signalfd.Kinds(), epoll.Kinds(), inotify.Kinds(), hostfd.Kinds(),
		tmpfs.Kinds(), procfs.Kinds(), devpts.Kinds(), goferfs.Kinds(), overlay.Kinds(),
		ipc.Kinds(), mqueue.Kinds(), socket.Kinds(), unix.Kinds(), inet.Kinds(), hostinet.Kinds(), netlink.Kinds(), packet.Kinds(),
		tun.Kinds(),
	)
}

// A saveHead comes before the kernel's objects: they claim their pages of the
// memory file, and their timers look at the clocks.
type saveHead struct {
	memory memfile.Image
	clocks ktime.ClocksImage
}

// headImage is a saveHead in a file.
type headImage struct {
	Memory memfile.Image
	Clocks ktime.ClocksImage
}

func headKinds() []checkpoint.Kind {
	return []checkpoint.Kind{checkpoint.Object("sentry.head",
		func(_ *checkpoint.Saver, h *saveHead) headImage { return headImage{h.memory, h.clocks} },
		func(_ *checkpoint.Loader, h *saveHead, im headImage) error {
			h.memory, h.clocks = im.Memory, im.Clocks
			return nil
		})}
}

// Save writes the state of a system: its head, the kernel's objects, the pages
// of guest memory. The tasks are frozen meanwhile.
func Save(w io.Writer, sys *task.System) error {
	return sys.Frozen(func() error { return saveFrozen(w, sys, checkpoint.Save) })
}

// SavePlain is Save without compression, for tests.
func SavePlain(w io.Writer, sys *task.System) error {
	return sys.Frozen(func() error { return saveFrozen(w, sys, checkpoint.SavePlain) })
}

func saveFrozen(w io.Writer, sys *task.System, save func(io.Writer, []checkpoint.Kind, any) error) error {
	// What takes time to write is time that the sandbox does not see.
	clocks := sys.Clocks.Image()
	// Memory of processes that have ended is not in the image.
	if p, ok := sys.Platform.(platform.Settler); ok {
		p.Settle()
	}
	// Objects first: some give up memory that is not worth saving.
	var objects bytes.Buffer
	if err := save(&objects, kinds(), sys); err != nil {
		return err
	}
	h := &saveHead{memory: sys.Memory.Image(), clocks: clocks}
	if err := save(w, headKinds(), h); err != nil {
		return err
	}
	if _, err := w.Write(objects.Bytes()); err != nil {
		return err
	}
	return sys.Memory.WritePages(w, &h.memory)
}

// Outside is what a restored system takes from its surroundings.
type Outside struct {
	Platform platform.Platform
	Memory   *memfile.File // new and empty
	// Clocks are the clocks to go on with, CLOCK_MONOTONIC from when the system
	// was saved; nil: the host's.
	Clocks *ktime.Clocks
	// Parts are the system's functions. Sockets is made here.
	Parts task.Parts
	// Gofer serves the mounts that were attached to one.
	Gofer *client.Client
	Hosts goferfs.HostFiles
	// Notifier watches Files, the host's descriptors by their names.
	Notifier *hostfd.Notifier
	Files    map[string]int
	// Attach gives the first network namespace's stack what it has from outside; nil
	// for nothing.
	Attach netstack.Links
}

// Load reads what Save has written and returns the system, whose tasks wait for
// StartRestored.
func Load(r io.Reader, o *Outside) (*task.System, error) {
	root, err := checkpoint.Load(r, headKinds(), nil)
	if err != nil {
		return nil, err
	}
	h, ok := root.(*saveHead)
	if !ok {
		return nil, errors.New("this is no saved sandbox")
	}
	clocks := o.Clocks
	if clocks == nil {
		clocks = ktime.NewHost()
	}
	clocks.GoOn(h.clocks)
	if e := o.Memory.Restore(&h.memory); e != 0 {
		return nil, errors.New("the memory file of the image cannot be: " + e.Error())
	}
	root, err = checkpoint.Load(r, kinds(), o.slots(clocks))
	if err != nil {
		return nil, err
	}
	sys, ok := root.(*task.System)
	if !ok {
		return nil, errors.New("this is no saved system")
	}
	if err := o.Memory.ReadPages(r, &h.memory); err != nil {
		return nil, err
	}
	o.Memory.Restored(&h.memory)
	return sys, nil
}

// slots are the outside things by the names that images know them by.
func (o *Outside) slots(clocks *ktime.Clocks) map[string]any {
	provider := unix.NewProvider()
	parts := o.Parts
	parts.Sockets = socket.NewRegistry(provider, inet.Provider{}, netlink.Provider{},
		packet.NewProvider(packet.MemoryFile{Memory: memmap.Memory{File: o.Memory}}))
	var sys *task.System
	assemble := parts.Assemble
	parts.Assemble = func(s *task.System) error {
		sys = s
		if assemble == nil {
			return nil
		}
		return assemble(s)
	}
	slots := map[string]any{
		mm.SlotPlatform: o.Platform, mm.SlotMemory: o.Memory, vfs.SlotClocks: clocks, vfs.SlotFIFO: vfs.FIFOOpener(pipe.FIFOs{}),
		task.SlotParts: &parts, unix.SlotProvider: provider, socket.SlotRestoring: &socket.Restoring{Registry: parts.Sockets, Attach: o.Attach}, hostfd.SlotNotifier: o.Notifier,
		goferfs.SlotGofer:  &goferfs.Outside{Client: o.Gofer, Hosts: o.Hosts},
		epoll.SlotShared:   func() *epoll.Shared { return &sys.Epoll },
		inotify.SlotShared: func() *inotify.Shared { return &sys.Inotify },
	}
	for name, fd := range o.Files {
		slots[name] = fd
	}
	return slots
}
