package client

import "unsafe"

// word is the state as the host's futexes know it.
func (w *call) word() *uint32 { return (*uint32)(unsafe.Pointer(&w.state)) }
