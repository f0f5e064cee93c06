package inet

import (
	"testing"

	"cordon/checkpoint"
)

func TestImageCoversState(t *testing.T) {
	if err := checkpoint.CheckCovered[Socket, Image](map[string]string{
		"mu": "a lock", "watch": "begun again",
	}); err != nil {
		t.Error(err)
	}
}
