package tmpfs

import (
	"testing"

	"cordon/checkpoint"
)

func TestImageCoversState(t *testing.T) {
	const a, n = "a lock", "part of Node"
	for _, err := range []error{
		checkpoint.CheckCovered[FS, Image](map[string]string{"back": "the memory file"}),
		checkpoint.CheckCovered[node, NodeImage](map[string]string{"kind": "of the mode", "mu": a, "readUntil": "of the times"}),
		checkpoint.CheckCovered[entry, EntryImage](nil),
		checkpoint.CheckCovered[dir, DirImage](map[string]string{"order": "Names", "dead": "removed names are not saved"}),
		checkpoint.CheckCovered[file, FileImage](map[string]string{"io": a, "ahead": "given up", "maps": "added again by who maps"}),
		checkpoint.CheckCovered[link, LinkImage](nil),
		checkpoint.CheckCovered[special, SpecialImage](nil),
		checkpoint.CheckCovered[zeroMap, ZeroMapImage](map[string]string{"mapped": "added again by who maps"}),
		checkpoint.CheckCovered[openFile, struct{ F int }](nil),
		checkpoint.CheckCovered[dirFile, struct{ D int }](nil),
	} {
		if err != nil {
			t.Error(err)
		}
	}
}
