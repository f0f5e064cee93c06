package vfs

import "cordon/internal/linux"

// OpenIn opens name in directory dir, which n is made as if flags has O_CREAT and
// there is nothing yet, as mq_open(2) does: the name is no path, what is there is
// neither truncated nor protected as open(2) protects what others have made
// (Linux: ipc/mqueue.c prepare_open).
func OpenIn(c *Caller, dir Path, name string, flags linux.OpenFlags, n *NewInode) (*Description, error) {
	c = c.unrestricted()
	if err := mayLookUp(c, dir, name); err != nil {
		return nil, err
	}
	d, created, err := findOrMake(c, dir, name, flags, n)
	if err != nil {
		return nil, err
	}
	p := Path{dir.Mount, d}
	if !created {
		switch {
		case flags&(linux.O_CREAT|linux.O_EXCL) == linux.O_CREAT|linux.O_EXCL:
			return nil, linux.EEXIST
		case flags&linux.O_ACCMODE == linux.O_ACCMODE:
			return nil, linux.EINVAL
		}
		if err := May(c, p, accessFor(flags&linux.O_ACCMODE)); err != nil {
			return nil, err
		}
	}
	if flags&linux.O_PATH != 0 {
		return NewDescription(c, p, pathFile{}, flags), nil
	}
	return openChecked(c, p, flags, false)
}

func findOrMake(c *Caller, dir Path, name string, flags linux.OpenFlags, n *NewInode) (_ *Dentry, created bool, _ error) {
	defer lockDir(dir.Dentry).Unlock()
	d, err := dir.Dentry.lookupLocked(name)
	if err != nil || d.inode != nil {
		return d, false, err
	}
	if flags&linux.O_CREAT == 0 {
		return nil, false, linux.ENOENT
	}
	if err := dir.Mount.mayWrite(); err != nil {
		return nil, false, err
	}
	if err := mayCreate(c, dir); err != nil {
		return nil, false, err
	}
	d, err = c.createLocked(dir, d, n)
	return d, err == nil, err
}

// UnlinkIn removes name from directory dir, as mq_unlink(2) does.
func UnlinkIn(c *Caller, dir Path, name string) error {
	c = c.unrestricted()
	if err := mayLookUp(c, dir, name); err != nil {
		return err
	}
	return remove(c, dir, Last{Name: name}, false)
}

// mayLookUp checks that name can be one in dir, and that c may search it (Linux:
// fs/namei.c lookup_one_len).
func mayLookUp(c *Caller, dir Path, name string) error {
	if name == "" || kindOf(name) != LastName {
		return linux.EACCES
	}
	for i := range len(name) {
		if name[i] == '/' {
			return linux.EACCES
		}
	}
	if err := dir.may(c.Cred, MayExec); err != nil {
		return err
	}
	if len(name) > linux.NAME_MAX {
		return linux.ENAMETOOLONG
	}
	return nil
}
