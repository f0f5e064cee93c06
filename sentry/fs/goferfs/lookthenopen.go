package goferfs

import "cordon/internal/linux"

// Programs ask what a file is before they open it: compilers' drivers, build systems
// and caches do. Where that is the habit, the descriptor comes with the answer to the
// question, which spares the second round trip.

// lookedSpan is over how many files the habit is looked at.
const lookedSpan = 64

// opensNext reports whether programs open the files that they have asked about by name.
func (fs *FS) opensNext() bool {
	looked, opened := fs.looked.Load(), fs.opened.Load()
	if looked > lookedSpan {
		fs.looked.Store(looked / 2)
		fs.opened.Store(opened / 2)
	}
	return opened > 0 && 2*opened >= looked
}

// lookedAt notes that a program has asked the gofer about in by its name, and takes over
// the descriptor that may have come with the answer.
func (in *Inode) lookedAt(fd int) {
	if in.kind == linux.S_IFREG {
		in.mu.Lock()
		if !in.looked && in.opens == 0 {
			in.looked = true
			in.fs.looked.Add(1)
		}
		in.mu.Unlock()
	}
	if fd >= 0 {
		in.install(fd, false)
		in.fs.idled(in)
	}
}

// openedLocked notes an open.
func (in *Inode) openedLocked() {
	in.opens++
	if in.looked {
		in.looked = false
		in.fs.opened.Add(1)
	}
}
