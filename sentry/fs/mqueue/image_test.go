package mqueue

import (
	"testing"

	"cordon/checkpoint"
)

func TestImageCoversState(t *testing.T) {
	const a = "a lock"
	for _, err := range []error{
		checkpoint.CheckCovered[Users, UsersImage](map[string]string{"mu": a, "bytes": "queues count themselves"}),
		checkpoint.CheckCovered[FS, FSImage](map[string]string{"mu": a, "order": "Names", "queues": "queues count themselves"}),
		checkpoint.CheckCovered[attrs, AttrsImage](map[string]string{"mu": a}),
		checkpoint.CheckCovered[dir, DirImage](nil),
		checkpoint.CheckCovered[Queue, QueueImage](map[string]string{
			"number": "with its name", "queue": "who waits adds itself again", "levels": "Messages", "count": "Messages", "used": "Messages",
			"senders": "their calls are made again", "receivers": "likewise",
		}),
		checkpoint.CheckCovered[registration, TellImage](map[string]string{"Notice": "below"}),
		checkpoint.CheckCovered[Notice, TellImage](nil),
		checkpoint.CheckCovered[level, MessageImage](map[string]string{"messages": "Data of each"}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
}
