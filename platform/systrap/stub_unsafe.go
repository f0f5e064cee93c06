package systrap

// Written in stub_amd64.s. stubCode is never called: its bytes are copied.
func stubCode()
func stubCodeAddress() uintptr
func spinWhile(addr *uint32, value uint32, turns int32) bool
