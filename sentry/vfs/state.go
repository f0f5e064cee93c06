package vfs

import "sync/atomic"

// A Stateful inode keeps the VFS's state for it, so that all its names share
// one. Where an inode does not, each of its dentries has its own; file systems
// with hard links need to be Stateful for locks and watches to be right, and
// inodes that are Evicters need it to be told.
type Stateful interface {
	VFSState() *InodeState
}

// InodeState is what the VFS keeps for an inode: locks, watches, who holds it.
// The zero value is ready to use.
type InodeState struct {
	// atomic
	holders atomic.Int64  // dentries and descriptions, of Evicters
	writers atomic.Int32  // descriptions open for writing; negative: being executed
	permGen atomic.Uint32 // bumped after every change of the attributes
	perm    atomic.Pointer[permissions]
	ext     atomic.Pointer[inodeExt]
}

// inodeExt is the part of the state that few inodes need.
type inodeExt struct {
	locks   lockTable
	watches watchList
	fifo    atomic.Pointer[any]
	unnamed atomic.Bool // its watches are told when nobody holds it
}

func (s *InodeState) extended() *inodeExt {
	if e := s.ext.Load(); e != nil {
		return e
	}
	s.ext.CompareAndSwap(nil, &inodeExt{})
	return s.ext.Load()
}

func (s *InodeState) hold() { s.holders.Add(1) }

// Held reports whether a dentry, a description or HoldInode has the inode.
func (s *InodeState) Held() bool { return s.holders.Load() > 0 }

// HoldInode keeps an inode that is reached otherwise than by a dentry or a
// description (an overlay's upper file) from being evicted.
func HoldInode(i Inode) {
	if s, ok := i.(Stateful); ok {
		s.VFSState().hold()
	}
}

// DropInode undoes a HoldInode. The last holder evicts the inode.
func DropInode(i Inode) {
	s, ok := i.(Stateful)
	if !ok {
		return
	}
	if st := s.VFSState(); st.holders.Add(-1) == 0 {
		st.endedEvent()
		if e, ok := i.(Evicter); ok {
			e.Evict()
		}
	}
}

// FIFO returns the pipe behind a FIFO's inode, made by make at first use.
func (s *InodeState) FIFO(make func() any) any {
	e := s.extended()
	if p := e.fifo.Load(); p != nil {
		return *p
	}
	v := make()
	e.fifo.CompareAndSwap(nil, &v)
	return *e.fifo.Load()
}

// getWrite counts a description open for writing. False: the file is being
// executed (ETXTBSY).
func (s *InodeState) getWrite() bool {
	for {
		n := s.writers.Load()
		if n < 0 {
			return false
		}
		if s.writers.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (s *InodeState) putWrite() { s.writers.Add(-1) }

// DenyWrite keeps the file from being opened for writing while it is executed.
// False: it is open for writing (ETXTBSY). AllowWrite undoes it.
func (s *InodeState) DenyWrite() bool {
	for {
		n := s.writers.Load()
		if n > 0 {
			return false
		}
		if s.writers.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

// AllowWrite undoes a DenyWrite.
func (s *InodeState) AllowWrite() { s.writers.Add(1) }
