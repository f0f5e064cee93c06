package vfs

import (
	"cmp"

	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/sentry/cred"
)

// MountContextImage is a MountContext in a checkpoint.
type MountContextImage struct {
	VFS        checkpoint.Ref
	Name       string
	User       checkpoint.Ref
	Phase      uint8
	Source     string
	Options    []string
	Set, Clear uint64
	SB         checkpoint.Ref
	Log        []string
}

func saveMountContext(s *checkpoint.Saver, x *MountContext) MountContextImage {
	x.mu.Lock()
	defer x.mu.Unlock()
	return MountContextImage{
		VFS: s.Ref(x.vfs), Name: x.name, User: s.Ref(x.user), Phase: uint8(x.phase), Source: x.source,
		Options: x.options, Set: uint64(x.set), Clear: uint64(x.clear), SB: s.Ref(x.sb), Log: x.log,
	}
}

func loadMountContext(l *checkpoint.Loader, x *MountContext, im MountContextImage) error {
	g := &getter{l: l}
	x.vfs, x.user, x.sb = get[*VFS](g, im.VFS), get[*cred.UserNamespace](g, im.User), get[*superblock](g, im.SB)
	x.name, x.phase, x.source, x.options, x.log = im.Name, contextPhase(im.Phase), im.Source, im.Options, im.Log
	x.set, x.clear = linux.MountFlags(im.Set), linux.MountFlags(im.Clear)
	made := x.phase == contextMounting || x.phase == contextIdle || x.phase == contextChanging
	if g.err != nil || x.vfs == nil || x.user == nil || x.phase > contextFailed || made && x.sb == nil || len(x.log) > maxContextLog {
		return cmp.Or(g.err, errImage)
	}
	return nil
}
