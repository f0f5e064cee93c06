package vfs

import (
	"strings"

	"cordon/internal/linux"
)

// mayXattr applies the rules of the attributes' namespaces (Linux:
// xattr_permission). trustedHidden is what reading a trusted attribute without
// the right gives.
func mayXattr(c *Caller, p Path, name string, want Access) error {
	if want == MayWrite {
		if err := p.Mount.mayWrite(); err != nil {
			return err
		}
		a, err := p.attr()
		if err != nil {
			return err
		}
		if frozen(&a) || unmapped(&a) {
			return linux.EPERM
		}
	}
	ns, rest, ok := strings.Cut(name, ".")
	if !ok {
		return linux.EOPNOTSUPP
	}
	if rest == "" {
		return linux.EINVAL
	}
	switch ns {
	case "security":
		// Without a security module only the file's capabilities mean
		// something; others are kept for whoever may.
		if want == MayWrite {
			return maySecurity(c, p, name)
		}
		return nil
	case "system":
		// POSIX ACLs are absent, as on a file system mounted noacl.
		return linux.EOPNOTSUPP
	case "trusted":
		if !c.Cred.HasIn(linux.CAP_SYS_ADMIN, rootNS(c.Cred.UserNS)) {
			if want == MayWrite {
				return linux.EPERM
			}
			return linux.ENODATA
		}
		return nil
	case "user":
		return mayUserXattr(c, p, want)
	}
	return linux.EOPNOTSUPP
}

func maySecurity(c *Caller, p Path, name string) error {
	a, err := p.attr()
	if err != nil {
		return err
	}
	if name == "security.capability" {
		if !Capable(c.Cred, linux.CAP_SETFCAP, &a) {
			return linux.EPERM
		}
		return nil
	}
	if !c.Cred.HasIn(linux.CAP_SYS_ADMIN, rootNS(c.Cred.UserNS)) {
		return linux.EPERM
	}
	return nil
}

func mayUserXattr(c *Caller, p Path, want Access) error {
	switch p.Dentry.kind {
	case linux.S_IFREG, linux.S_IFDIR:
	default:
		if want == MayWrite {
			return linux.EPERM
		}
		return linux.ENODATA
	}
	if p.Dentry.IsDir() && want == MayWrite {
		a, err := p.attr()
		if err != nil {
			return err
		}
		if a.Mode&linux.S_ISVTX != 0 && !ownerOrCapable(c.Cred, &a) {
			return linux.EPERM
		}
	}
	return May(c, p, want)
}

func xattrName(name string) error {
	if name == "" || len(name) > linux.XATTR_NAME_MAX {
		return linux.ERANGE
	}
	return nil
}

// GetXattr is getxattr(2); the caller compares with its buffer's size (ERANGE).
func GetXattr(c *Caller, p Path, name string) ([]byte, error) {
	if err := xattrName(name); err != nil {
		return nil, err
	}
	if err := mayXattr(c, p, name, MayRead); err != nil {
		return nil, err
	}
	s, ok := p.Dentry.inode.(XattrStore)
	if !ok {
		return nil, linux.EOPNOTSUPP
	}
	return s.GetXattr(name)
}

// SetXattr is setxattr(2).
func SetXattr(c *Caller, p Path, name string, value []byte, flags linux.XattrFlags) error {
	if flags&^(linux.XATTR_CREATE|linux.XATTR_REPLACE) != 0 {
		return linux.EINVAL
	}
	if err := xattrName(name); err != nil {
		return err
	}
	if len(value) > linux.XATTR_SIZE_MAX {
		return linux.E2BIG
	}
	if err := mayXattr(c, p, name, MayWrite); err != nil {
		return err
	}
	s, ok := p.Dentry.inode.(XattrStore)
	if !ok {
		return linux.EOPNOTSUPP
	}
	if err := s.SetXattr(name, value, flags); err != nil {
		return err
	}
	p.event(linux.IN_ATTRIB)
	return nil
}

// RemoveXattr is removexattr(2).
func RemoveXattr(c *Caller, p Path, name string) error {
	if err := xattrName(name); err != nil {
		return err
	}
	if err := mayXattr(c, p, name, MayWrite); err != nil {
		return err
	}
	s, ok := p.Dentry.inode.(XattrStore)
	if !ok {
		return linux.EOPNOTSUPP
	}
	if err := s.RemoveXattr(name); err != nil {
		return err
	}
	p.event(linux.IN_ATTRIB)
	return nil
}

// ListXattr is listxattr(2): the names that c may know of.
func ListXattr(c *Caller, p Path) ([]string, error) {
	s, ok := p.Dentry.inode.(XattrStore)
	if !ok {
		return nil, nil
	}
	all, err := s.ListXattr()
	if err != nil {
		return nil, err
	}
	admin := c.Cred.HasIn(linux.CAP_SYS_ADMIN, rootNS(c.Cred.UserNS))
	var out []string
	for _, n := range all {
		if admin || !strings.HasPrefix(n, "trusted.") {
			out = append(out, n)
		}
	}
	return out, nil
}
