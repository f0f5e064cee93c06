package loader

import (
	"testing"

	"cordon/checkpoint"
)

func TestImageCoversState(t *testing.T) {
	for _, err := range []error{
		checkpoint.CheckCovered[Loader, LoaderImage](map[string]string{
			"texts": "shared texts are made anew",
		}),
		checkpoint.CheckCovered[VDSO, VDSOImage](nil),
		checkpoint.CheckCovered[staticPages, PagesImage](nil),
	} {
		if err != nil {
			t.Error(err)
		}
	}
}
