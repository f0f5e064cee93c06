package cred

import "cordon/internal/linux"

// An Executable is what of a program's file matters to the identity it runs
// with.
type Executable struct {
	Mode     linux.FileMode
	UID, GID uint32
	// NoSetID is set where set-id bits do not count: a nosuid mount, or a
	// caller with no_new_privs or one being traced.
	NoSetID bool
	// FileCaps are security.capability's sets; HasFileCaps tells whether there
	// are any.
	HasFileCaps                    bool
	FilePermitted, FileInheritable CapSet
	FileEffective                  bool
}

// Securebits that execve(2) looks at (capabilities(7)).
const (
	SecureNoRoot       Securebits = 1 << 0
	SecureNoSetUIDFix  Securebits = 1 << 2
	SecureKeepCaps     Securebits = 1 << 4
	SecureNoAmbient    Securebits = 1 << 6
	SecureAllBits      Securebits = 0xff
	SecureKeepCapsLock Securebits = 1 << 5
)

// ForExec returns the identity that a program runs with and whether it has
// gained something (AT_SECURE), by the rules of capabilities(7). The error is
// EPERM for a file whose capabilities are in force at once but cannot all be
// had (Linux: security/commoncap.c cap_bprm_creds_from_file).
func (c *Credentials) ForExec(x *Executable) (n *Credentials, secure bool, e linux.Errno) {
	n = c.Clone()
	if !x.NoSetID && !c.NoNewPrivs {
		if x.Mode&linux.S_ISUID != 0 {
			n.EUID = x.UID
		}
		if x.Mode&(linux.S_ISGID|0o010) == linux.S_ISGID|0o010 {
			n.EGID = x.GID
		}
	}
	hasFile := x.HasFileCaps && !x.NoSetID
	effective := hasFile && x.FileEffective
	n.Permitted = 0
	if hasFile {
		n.Permitted = c.Bounding&x.FilePermitted | c.Inheritable&x.FileInheritable
		if effective && x.FilePermitted&^n.Permitted != 0 {
			return nil, false, linux.EPERM
		}
	}
	root := c.UserNS.ToRootUID(0)
	if c.Securebits&SecureNoRoot == 0 && !(hasFile && n.RUID != root && n.EUID == root) {
		if n.EUID == root || n.RUID == root {
			n.Permitted = c.Bounding | c.Inheritable
		}
		effective = effective || n.EUID == root
	}
	setID := n.EUID != c.RUID || n.EGID != c.RGID
	if c.NoNewPrivs && (setID || n.Permitted&^c.Permitted != 0) {
		// No more than before, and maybe less.
		n.EUID, n.EGID = n.RUID, n.RGID
		n.Permitted &= c.Permitted
	}
	n.SUID, n.FSUID = n.EUID, n.EUID
	n.SGID, n.FSGID = n.EGID, n.EGID
	if hasFile || setID {
		n.Ambient = 0
	}
	n.Permitted |= n.Ambient
	n.Effective = n.Ambient
	if effective {
		n.Effective = n.Permitted
	}
	n.Securebits &^= SecureKeepCaps
	secure = setID || n.RUID != root && (effective || n.Permitted&^n.Ambient != 0)
	return n, secure, 0
}

// AfterSetUID adjusts the capabilities when the user ids have changed from
// old's (capabilities(7), "Effect of user ID changes on capabilities").
func (c *Credentials) AfterSetUID(old *Credentials) {
	if old.Securebits&SecureNoSetUIDFix != 0 {
		return
	}
	root := c.UserNS.ToRootUID(0)
	had := old.RUID == root || old.EUID == root || old.SUID == root
	has := c.RUID == root || c.EUID == root || c.SUID == root
	if had && !has {
		if old.Securebits&SecureKeepCaps == 0 {
			c.Permitted, c.Effective = 0, 0
		}
		c.Ambient = 0
	}
	switch {
	case old.EUID == root && c.EUID != root:
		c.Effective = 0
	case old.EUID != root && c.EUID == root:
		c.Effective = c.Permitted
	}
}

// FileCaps are the capabilities that the file system user id carries.
const FileCaps = CapSet(1<<linux.CAP_CHOWN | 1<<linux.CAP_DAC_OVERRIDE | 1<<linux.CAP_DAC_READ_SEARCH |
	1<<linux.CAP_FOWNER | 1<<linux.CAP_FSETID | 1<<linux.CAP_LINUX_IMMUTABLE | 1<<linux.CAP_MKNOD | 1<<linux.CAP_MAC_OVERRIDE)

// AfterSetFSUID adjusts the file capabilities when the file system user id has
// changed (setfsuid(2)).
func (c *Credentials) AfterSetFSUID(old uint32) {
	if c.Securebits&SecureNoSetUIDFix != 0 {
		return
	}
	root := c.UserNS.ToRootUID(0)
	switch {
	case old == root && c.FSUID != root:
		c.Effective &^= FileCaps
	case old != root && c.FSUID == root:
		c.Effective |= c.Permitted & FileCaps
	}
}
