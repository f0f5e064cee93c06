package signal

import (
	"testing"

	"cordon/checkpoint"
)

func TestImageCoversState(t *testing.T) {
	if err := checkpoint.CheckCovered[Actions, ActionsImage](map[string]string{"mu": "a lock"}); err != nil {
		t.Error(err)
	}
	if err := checkpoint.CheckCovered[Pending, Image](map[string]string{"n": "counted again"}); err != nil {
		t.Error(err)
	}
}
