package tun

import (
	"testing"

	"cordon/checkpoint"
)

func TestImageCoversState(t *testing.T) {
	err := checkpoint.CheckCovered[File, Image](map[string]string{
		"mu": "a lock", "queue": "waiting calls are made again", "tun": "At and Index",
	})
	if err != nil {
		t.Error(err)
	}
}
