package systrap

import (
	"testing"

	"cordon/platform"
	"cordon/platform/platformtest"
)

// open returns a platform or skips where there can be none.
func open(tb testing.TB) platform.Platform {
	z, err := StartZygote()
	if err != nil {
		tb.Skip("no zygote can be started here: ", err)
	}
	p, err := New(Config{Zygote: z})
	if err != nil {
		z.Stop()
		tb.Skip("stubs cannot be made here: ", err)
	}
	return p
}

func TestSuite(t *testing.T) { platformtest.Run(t, open) }
