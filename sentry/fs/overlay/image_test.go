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
			"maps": "added again by who maps", "copying": lockField, "mu": lockField,
		}),
		checkpoint.CheckCovered[layered, LayerImage](nil),
		checkpoint.CheckCovered[change, ChangeImage](nil),
		checkpoint.CheckCovered[file, struct{ In, Path, Flags int }](map[string]string{
			"lower": "opened again", "mu": lockField, "upper": "opened again",
		}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
}
