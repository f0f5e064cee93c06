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
		checkpoint.CheckCovered[VDSO, VDSOImage](map[string]string{
			"mu": "a lock", "pages": "each page adds itself", "last": "published before a guest runs",
		}),
		checkpoint.CheckCovered[timePage, TimePageImage](map[string]string{"uses": "counted as it is mapped", "staticPages": "its PagesImage"}),
		checkpoint.CheckCovered[staticPages, PagesImage](nil),
	} {
		if err != nil {
			t.Error(err)
		}
	}
}
