package vfs

import (
	"cordon/internal/linux"
	"cordon/sentry/cred"
)

// OpenExec opens a program for execve(2): it takes the right to execute, not
// the right to read. Nobody has the program open for writing, nor may until the
// description has gone, or EndExec (ETXTBSY, as before and after Linux 6.12).
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
	if err := c.landlocked(p, linux.LANDLOCK_ACCESS_FS_READ_FILE|linux.LANDLOCK_ACCESS_FS_EXECUTE); err != nil {
		return nil, err
	}
	state := p.Dentry.State()
	if !state.DenyWrite() {
		return nil, linux.ETXTBSY
	}
	d, err := openFile(c, p, linux.O_RDONLY|linux.O_LARGEFILE)
	if err != nil {
		state.AllowWrite()
		return nil, err
	}
	d.mode |= denyWrite
	p.event(linux.IN_OPEN)
	return d, nil
}

// EndExec lets others open the file for writing again: the interpreter of a
// program, once it is mapped. Only before anybody else knows d.
func (d *Description) EndExec() {
	if d.mode&denyWrite != 0 {
		d.mode &^= denyWrite
		d.path.Dentry.State().AllowWrite()
	}
}

func (p Path) mayExec(c *Caller) error {
	if p.Dentry.kind != linux.S_IFREG || p.Mount.has(linux.MS_NOEXEC) {
		return linux.EACCES
	}
	return May(c, p, MayExec)
}

// MayExec checks that c may execute the file.
func (d *Description) MayExec(c *Caller) error { return d.path.mayExec(c) }

// NoSetID reports whether set-id bits and file capabilities mean nothing here to a
// caller in user: on nosuid mounts, and where the file system was mounted by those
// who are nobody outside (Linux: mnt_may_suid).
func (p Path) NoSetID(user *cred.UserNamespace) bool {
	return p.Mount.has(linux.MS_NOSUID) || !p.Mount.sb.first() && !user.Within(p.Mount.sb.user)
}

// Attr returns the file's attributes.
func (d *Description) Attr() (Attr, error) { return d.path.attr() }
