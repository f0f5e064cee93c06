package vfs

import "cordon/internal/linux"

// OpenExec opens a program for execve(2): it takes the right to execute, not
// the right to read. (As in Linux 6.12, a program being executed may be open
// for writing.)
func OpenExec(c *Caller, at Path, path string, nofollow bool) (*Description, error) {
	var flags WalkFlags
	if nofollow {
		flags = NoFollow
	}
	p, err := Resolve(c, at, path, flags)
	if err != nil {
		return nil, err
	}
	return openExec(c, p)
}

// Reopen is OpenExec of what is open already (execveat with AT_EMPTY_PATH).
func Reopen(c *Caller, d *Description) (*Description, error) { return openExec(c, d.path) }

func openExec(c *Caller, p Path) (*Description, error) {
	if p.Dentry.kind == linux.S_IFLNK {
		return nil, linux.ELOOP
	}
	if err := p.mayExec(c); err != nil {
		return nil, err
	}
	d, err := openFile(c, p, linux.O_RDONLY|linux.O_LARGEFILE)
	if err == nil {
		p.event(linux.IN_OPEN)
	}
	return d, err
}

func (p Path) mayExec(c *Caller) error {
	if p.Dentry.kind != linux.S_IFREG || p.Mount.has(linux.MS_NOEXEC) {
		return linux.EACCES
	}
	return May(c, p, MayExec)
}

// MayExec checks that c may execute the file.
func (d *Description) MayExec(c *Caller) error { return d.path.mayExec(c) }

// NoSetID reports whether set-id bits and file capabilities mean nothing here.
func (p Path) NoSetID() bool { return p.Mount.has(linux.MS_NOSUID) }

// Attr returns the file's attributes.
func (d *Description) Attr() (Attr, error) { return d.path.Dentry.inode.Attr() }
