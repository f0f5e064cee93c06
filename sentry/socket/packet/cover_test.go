package packet

import (
	"testing"

	"cordon/checkpoint"
)

func TestImageCoversState(t *testing.T) {
	if err := checkpoint.CheckCovered[Socket, Image](map[string]string{
		"mu": "a lock", "in": "a lock", "tap": "made again", "bytes": "counted again", "closed": "a socket that is saved is open",
	}); err != nil {
		t.Error(err)
	}
	if err := checkpoint.CheckCovered[ring, RingImage](map[string]string{
		"s": "its socket", "closing": "a block whose time ran is closed when the next frame comes",
	}); err != nil {
		t.Error(err)
	}
	if err := checkpoint.CheckCovered[frame, FrameImage](nil); err != nil {
		t.Error(err)
	}
}
