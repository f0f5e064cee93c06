package limit

import (
	"testing"

	"cordon/checkpoint"
)

func TestImageCoversState(t *testing.T) {
	if err := checkpoint.CheckCovered[Set, Image](map[string]string{"mu": "a lock", "soft": "in Limits"}); err != nil {
		t.Error(err)
	}
}
