package overlay

import (
	"maps"
	"slices"

	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// maxXattrs bounds the bytes of the attributes of one inode here.
const maxXattrs = 1 << 20

// copyXattrs returns the attributes of a lower inode.
func copyXattrs(l vfs.Inode) (map[string][]byte, error) {
	s, ok := l.(vfs.XattrStore)
	if !ok {
		return nil, nil
	}
	names, err := s.ListXattr()
	if err == error(linux.EOPNOTSUPP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var x map[string][]byte
	for _, n := range names {
		v, err := s.GetXattr(n)
		if err != nil {
			continue // gone, or not for us
		}
		if x == nil {
			x = make(map[string][]byte)
		}
		x[n] = v
	}
	return x, nil
}

// store returns the layer that keeps in's attributes, or ok false if in does
// so itself.
func (in *Inode) store() (s vfs.XattrStore, ok bool) {
	if u := in.upper.Load(); u != nil {
		s, _ = u.Inode.(vfs.XattrStore)
		return s, true
	}
	in.mu.Lock()
	own := in.own != nil
	in.mu.Unlock()
	if own {
		return nil, false
	}
	s, _ = in.lower.(vfs.XattrStore)
	return s, true
}

// GetXattr implements vfs.XattrStore.
func (in *Inode) GetXattr(name string) ([]byte, error) {
	if s, ok := in.store(); ok {
		if s == nil {
			return nil, linux.EOPNOTSUPP
		}
		return s.GetXattr(name)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	v, ok := in.xattrs[name]
	if !ok {
		return nil, linux.ENODATA
	}
	return slices.Clone(v), nil
}

// ListXattr implements vfs.XattrStore.
func (in *Inode) ListXattr() ([]string, error) {
	if s, ok := in.store(); ok {
		if s == nil {
			return nil, nil
		}
		return s.ListXattr()
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Sorted(maps.Keys(in.xattrs)), nil
}

// SetXattr implements vfs.XattrStore.
func (in *Inode) SetXattr(name string, value []byte, flags linux.XattrFlags) error {
	return in.changeXattr(func(s vfs.XattrStore) error { return s.SetXattr(name, value, flags) }, func() error {
		_, have := in.xattrs[name]
		switch {
		case have && flags&linux.XATTR_CREATE != 0:
			return linux.EEXIST
		case !have && flags&linux.XATTR_REPLACE != 0:
			return linux.ENODATA
		}
		size := len(name) + len(value)
		for n, v := range in.xattrs {
			size += len(n) + len(v)
		}
		if size > maxXattrs {
			return linux.ENOSPC
		}
		if in.xattrs == nil {
			in.xattrs = make(map[string][]byte)
		}
		in.xattrs[name] = slices.Clone(value)
		return nil
	})
}

// RemoveXattr implements vfs.XattrStore.
func (in *Inode) RemoveXattr(name string) error {
	return in.changeXattr(func(s vfs.XattrStore) error { return s.RemoveXattr(name) }, func() error {
		if _, have := in.xattrs[name]; !have {
			return linux.ENODATA
		}
		delete(in.xattrs, name)
		return nil
	})
}

// changeXattr changes the attributes in the upper file, or here by own, which
// is called with mu held.
func (in *Inode) changeXattr(upper func(vfs.XattrStore) error, own func() error) error {
	if in.upper.Load() == nil {
		if err := in.differ(); err != nil {
			return err
		}
		in.copying.Lock()
		defer in.copying.Unlock()
	}
	if u := in.upper.Load(); u != nil {
		s, ok := u.Inode.(vfs.XattrStore)
		if !ok {
			return linux.EOPNOTSUPP
		}
		return upper(s)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	err := own()
	if err == nil {
		in.own.CTime = in.fs.now()
	}
	return err
}
