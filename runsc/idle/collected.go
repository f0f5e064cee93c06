package idle

import "runtime"

// A mark is garbage at once.
type mark struct{ _ [16]byte }

// collected calls f after each collection, which finds a mark gone, for as long as f says.
func collected(f func() (again bool)) {
	runtime.AddCleanup(&mark{}, func(f func() bool) {
		if f() {
			collected(f)
		}
	}, f)
}
