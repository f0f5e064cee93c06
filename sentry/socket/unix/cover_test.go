package unix

import (
	"testing"

	"cordon/checkpoint"
)

func TestImageCoversState(t *testing.T) {
	const lock, counted = "a lock", "counted again"
	for _, err := range []error{
		checkpoint.CheckCovered[Socket, Image](map[string]string{
			"reading": lock, "mu": lock, "file": "found again by At", "waiters": "waiting calls are made again",
		}),
		checkpoint.CheckCovered[message, MessageImage](map[string]string{"next": "the order of Queue", "buf": "Data is all of it"}),
		checkpoint.CheckCovered[messages, struct{}](map[string]string{
			"first": "Queue", "last": "Queue", "n": counted, "bytes": counted, "small": "a spare", "large": "a spare",
		}),
		checkpoint.CheckCovered[Provider, struct{}](map[string]string{
			"mu": lock, "bound": "sockets bind again", "flight": counted, "users": counted, "dropping": "momentary", "dropped": "momentary",
		}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
}
