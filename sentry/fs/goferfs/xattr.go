package goferfs

import "cordon/internal/linux"

// withoutXattr reports whether the file is known to have no attributes, after
// asking once on an exclusive mount: programs and the kernel ask for attributes
// that are not there far more often than for others.
func (in *Inode) withoutXattr() (bool, error) {
	if in.fs.shared {
		return false, nil
	}
	in.mu.Lock()
	none := in.noXattr
	in.mu.Unlock()
	if none {
		return true, nil
	}
	list, err := in.listXattr()
	if err != nil || len(list) > 0 {
		return false, err
	}
	in.mu.Lock()
	in.noXattr = true
	in.mu.Unlock()
	return true, nil
}

func (in *Inode) listXattr() ([]string, error) {
	n, err := in.acquire()
	if err != nil {
		return nil, err
	}
	defer n.release()
	return n.node.ListXattr()
}

// GetXattr implements vfs.XattrStore.
func (in *Inode) GetXattr(name string) ([]byte, error) {
	if none, err := in.withoutXattr(); none || err != nil {
		if err == nil {
			err = linux.ENODATA
		}
		return nil, err
	}
	n, err := in.acquire()
	if err != nil {
		return nil, err
	}
	defer n.release()
	return n.node.GetXattr(name)
}

// ListXattr implements vfs.XattrStore.
func (in *Inode) ListXattr() ([]string, error) {
	if none, err := in.withoutXattr(); none || err != nil {
		return nil, err
	}
	return in.listXattr()
}

// SetXattr implements vfs.XattrStore.
func (in *Inode) SetXattr(name string, value []byte, flags linux.XattrFlags) error {
	n, err := in.acquire()
	if err != nil {
		return err
	}
	defer n.release()
	in.mu.Lock()
	in.noXattr = false
	in.mu.Unlock()
	in.touched()
	return n.node.SetXattr(name, value, flags)
}

// RemoveXattr implements vfs.XattrStore.
func (in *Inode) RemoveXattr(name string) error {
	if none, err := in.withoutXattr(); none || err != nil {
		if err == nil {
			err = linux.ENODATA
		}
		return err
	}
	n, err := in.acquire()
	if err != nil {
		return err
	}
	defer n.release()
	in.touched()
	return n.node.RemoveXattr(name)
}
