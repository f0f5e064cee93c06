package overlay

import (
	"testing"

	"cordon/checkpoint"
)

func TestImageCoversState(t *testing.T) {
	const lockField = "a lock"
	for _, err := range []error{
		checkpoint.CheckCovered[FS, Image](map[string]string{"store": "the root of Upper", "mu": lockField, "byLower": "Known of the inodes"}),
		checkpoint.CheckCovered[Inode, InodeImage](map[string]string{
			"content": "Lower and Upper; mappings are added again by who maps", "copying": lockField, "mu": lockField,
		}),
		checkpoint.CheckCovered[Union, UnionImage](map[string]string{
			"opts": "Lower, UpperDir, Workdir, UserXattr, Volatile and Defaults", "mu": lockField, "nodes": "Known of the nodes",
		}),
		checkpoint.CheckCovered[Node, NodeImage](map[string]string{
			"content": "Lower and Upper; mappings are added again by who maps", "copying": lockField,
		}),
		checkpoint.CheckCovered[layered, LayerImage](nil),
		checkpoint.CheckCovered[change, ChangeImage](nil),
		checkpoint.CheckCovered[file, struct{ Of, Path, Flags int }](map[string]string{
			"lower": "opened again", "mu": lockField, "upper": "opened again",
		}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
}
