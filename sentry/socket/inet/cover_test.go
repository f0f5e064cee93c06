package inet

import (
	"testing"

	"cordon/checkpoint"
)

func TestImageCoversState(t *testing.T) {
	if err := checkpoint.CheckCovered[Socket, Image](map[string]string{
		"mu": "a lock", "watch": "begun again", "errors": "errors that nobody has read may be lost, as on their way",
	}); err != nil {
		t.Error(err)
	}
}
