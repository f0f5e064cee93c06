package cred

import (
	"errors"

	"cordon/checkpoint"
)

// Image is Credentials in a checkpoint.
type Image struct {
	RUID, EUID, SUID, FSUID uint32
	RGID, EGID, SGID, FSGID uint32
	Groups                  []uint32

	Permitted, Effective, Inheritable CapSet
	Bounding, Ambient                 CapSet

	Securebits Securebits
	NoNewPrivs bool

	UserNS checkpoint.Ref
	Domain checkpoint.Ref
}

// NamespaceImage is a UserNamespace in a checkpoint.
type NamespaceImage struct {
	Parent             checkpoint.Ref
	Owner, Group       uint32
	Level              int
	HaveUIDs, HaveGIDs bool
	UIDs, GIDs         []IDMap
	SetFCap, NoGroups  bool
}

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{
		checkpoint.Object("cred.Credentials", saveCred, loadCred),
		checkpoint.Object("cred.UserNamespace", saveNamespace, loadNamespace),
	}
}

func saveCred(s *checkpoint.Saver, c *Credentials) Image {
	return Image{
		RUID: c.RUID, EUID: c.EUID, SUID: c.SUID, FSUID: c.FSUID, RGID: c.RGID, EGID: c.EGID, SGID: c.SGID, FSGID: c.FSGID,
		Groups: c.Groups, Permitted: c.Permitted, Effective: c.Effective, Inheritable: c.Inheritable,
		Bounding: c.Bounding, Ambient: c.Ambient, Securebits: c.Securebits, NoNewPrivs: c.NoNewPrivs, UserNS: s.Ref(c.UserNS), Domain: s.Ref(c.Domain),
	}
}

func loadCred(l *checkpoint.Loader, c *Credentials, im Image) error {
	ns, err := checkpoint.Get[*UserNamespace](l, im.UserNS)
	if err != nil || ns == nil {
		return errImage
	}
	var domain Domain
	if im.Domain != 0 {
		d, err := checkpoint.Get[any](l, im.Domain)
		if domain, _ = d.(Domain); err != nil || domain == nil {
			return errImage
		}
	}
	*c = Credentials{
		RUID: im.RUID, EUID: im.EUID, SUID: im.SUID, FSUID: im.FSUID, RGID: im.RGID, EGID: im.EGID, SGID: im.SGID, FSGID: im.FSGID,
		Groups: im.Groups, Permitted: im.Permitted & AllCaps, Effective: im.Effective & AllCaps, Inheritable: im.Inheritable & AllCaps,
		Bounding: im.Bounding & AllCaps, Ambient: im.Ambient & AllCaps, Securebits: im.Securebits, NoNewPrivs: im.NoNewPrivs, UserNS: ns, Domain: domain,
	}
	return nil
}

var errImage = errors.New("credentials that cannot be")

func saveNamespace(s *checkpoint.Saver, n *UserNamespace) NamespaceImage {
	u, g := n.Maps()
	return NamespaceImage{
		Parent: s.Ref(n.Parent), Owner: n.Owner, Group: n.Group, Level: n.Level,
		HaveUIDs: u != nil, HaveGIDs: g != nil, UIDs: u, GIDs: g, SetFCap: n.SetFCap, NoGroups: n.SetgroupsDenied(),
	}
}

func loadNamespace(l *checkpoint.Loader, n *UserNamespace, im NamespaceImage) (err error) {
	if n.Parent, err = checkpoint.Get[*UserNamespace](l, im.Parent); err != nil {
		return err
	}
	if im.Level < 0 || (im.Parent == 0) != (im.Level == 0) || len(im.UIDs) > MaxIDMapEntries || len(im.GIDs) > MaxIDMapEntries {
		return errImage
	}
	n.Owner, n.Group, n.Level = im.Owner, im.Group, im.Level
	n.SetFCap, n.noGroups = im.SetFCap, im.NoGroups
	if im.HaveUIDs {
		n.uids = append([]IDMap{}, im.UIDs...)
	}
	if im.HaveGIDs {
		n.gids = append([]IDMap{}, im.GIDs...)
	}
	// A chain of parents must end.
	l.AfterLoad(func() error {
		if n.Parent != nil && n.Parent.Level != n.Level-1 {
			return errImage
		}
		n.bounded = n.isBounded()
		return nil
	})
	return nil
}
