package idle

import (
	"runtime/debug"
	"time"
)

// settleAfter is long after a start, and after the end of what runs shortly.
const settleAfter = 400 * time.Millisecond

// Settle gives memory back a while after the call. It wakes once.
func Settle() { time.AfterFunc(settleAfter, settle) }

func settle() {
	debug.FreeOSMemory()
	dropBinary()
}
