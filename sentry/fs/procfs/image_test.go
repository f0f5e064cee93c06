package procfs

import (
	"testing"

	"cordon/checkpoint"
)

func TestImageCoversState(t *testing.T) {
	for _, err := range []error{
		checkpoint.CheckCovered[inode, NSImage](map[string]string{"fs": "a new instance", "p": "no process's"}),
		checkpoint.CheckCovered[nsInode, struct{ Inode, NS, State int }](nil),
		checkpoint.CheckCovered[Namespace, NSImage](map[string]string{"fs": "a new instance"}),
		checkpoint.CheckCovered[FileSystem, struct{ Dev, Opts int }](map[string]string{
			"shared": "made by whoever restores: nsIDs and busiest begin anew", "root": "made by the type", "pids": "Regenerate writes its serial",
		}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
}
