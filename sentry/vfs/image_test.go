package vfs

import (
	"reflect"
	"testing"

	"cordon/checkpoint"
)

func TestImageCoversState(t *testing.T) {
	const lockField, again = "a lock", "put there by what is restored"
	for _, err := range []error{
		checkpoint.CheckCovered[VFS, Image](map[string]string{
			"clock": "Clocks", "types": "registered by whoever restores", "devices": "registered by whoever restores",
			"drivers": "registered by whoever restores", "descriptions": "counted again", "maxOpen": "follows from the memory there is", "watches": again, "hosting": "as host of Mount", "mountMu": lockField,
			"mounts": again, "treeGen": "remembered by nobody", "supers": again, "cache": "CacheLimit; names are looked up again", "waits": "who waits for a lock asks again",
			"memory": "watched by whoever restores",
		}),
		checkpoint.CheckCovered[superblock, SuperImage](map[string]string{"writers": again, "revalidate": "of FS", "ownersKept": "of FS", "paths": "of FS", "renameMu": lockField}),
		checkpoint.CheckCovered[Mount, MountImage](map[string]string{"writers": again, "host": "a sandbox whose mounts come to the host is not saved"}),
		checkpoint.CheckCovered[MountNamespace, NamespaceImage](map[string]string{"queue": "nobody waits"}),
		checkpoint.CheckCovered[Ruleset, RulesetImage](map[string]string{"mu": lockField}),
		checkpoint.CheckCovered[Domain, DomainImage](nil),
		checkpoint.CheckCovered[landlockRules, struct{ Places, Access int }](nil),
		checkpoint.CheckCovered[MountContext, MountContextImage](map[string]string{"mu": lockField}),
		checkpoint.CheckCovered[peerGroup, GroupImage](nil),
		checkpoint.CheckCovered[anonFS, AnonFSImage](nil),
		checkpoint.CheckCovered[AnonInode, AnonInodeImage](map[string]string{"open": "the restored File's (AnonReopener)"}),
		checkpoint.CheckCovered[InodeState, StateImage](map[string]string{"holders": "dentries and descriptions count themselves", "ext": "Records, Flocks, FIFO, Unnamed", "perm": "asked again", "permGen": "asked again"}),
		checkpoint.CheckCovered[inodeExt, struct{ Locks, FIFO, Unnamed int }](map[string]string{"watches": "inotify adds them again"}),
		checkpoint.CheckCovered[lockTable, StateImage](map[string]string{"mu": lockField, "queue": "nobody waits", "spare": "room"}),
		checkpoint.CheckCovered[fileLock, LockImage](nil),
		checkpoint.CheckCovered[Dentry, DentryImage](map[string]string{
			"state": "the inode's", "kids": "children put themselves there", "hold": "Held", "place": "Parent, Name, Deleted", "first": "Parent, Name",
			"mounted": "mounts count themselves", "used": "the cache begins anew", "slot": "the cache begins anew",
		}),
		checkpoint.CheckCovered[Path, PathImage](nil),
		checkpoint.CheckCovered[Description, DescriptionImage](map[string]string{
			"dirAt": "of the dentry", "lent": "Flags", "refs": "counted by the holders", "pos": lockField,
		}),
		checkpoint.CheckCovered[owner, OwnerImage](nil),
		checkpoint.CheckCovered[FDTable, FDTableImage](map[string]string{
			"mu": lockField, "used": "Slots", "full": "Slots", "cloexec": "Slots", "next": "a hint", "words": "lent anew", "loans": "lent anew",
		}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	for _, im := range []any{Image{}, SuperImage{}, MountImage{}, DentryImage{}, DescriptionImage{}, FDTableImage{}} {
		if err := checkpoint.CheckPlain(reflect.TypeOf(im)); err != nil {
			t.Error(err)
		}
	}
}
