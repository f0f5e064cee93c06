package lock

import "unsafe"

// Two takes two locks of one rank in the order of their addresses; a and b may
// be the same lock.
func Two[R Rank](a, b *Mutex[R]) {
	lockTwo(a, b, uintptr(unsafe.Pointer(a)) < uintptr(unsafe.Pointer(b)), a == b)
}

// UnlockTwo releases what Two took.
func UnlockTwo[R Rank](a, b *Mutex[R]) {
	a.Unlock()
	if a != b {
		b.Unlock()
	}
}

// TwoRW is Two for writing.
func TwoRW[R Rank](a, b *RWMutex[R]) {
	lockTwo(a, b, uintptr(unsafe.Pointer(a)) < uintptr(unsafe.Pointer(b)), a == b)
}

// UnlockTwoRW releases what TwoRW took.
func UnlockTwoRW[R Rank](a, b *RWMutex[R]) {
	a.Unlock()
	if a != b {
		b.Unlock()
	}
}
