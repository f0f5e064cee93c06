package ptrace

import "cordon/platform/stub"

// StartZygote starts the process that stubs are forked from (stub.StartZygote). It
// is called before the caller gives up its right to execute files; the caller's
// user ids must not change afterwards, or tracing is refused. SentrySyscalls
// lists what the platform needs from then on. No other code may wait for "any
// child".
//
// The process's SIGCHLD handler, if any, is no longer told of stops.
func StartZygote() (*stub.Zygote, error) {
	quietStops()
	return stub.StartZygote(func(socket uint64) []byte {
		page := buildPage(codeBytes(), socket)
		if page == nil {
			return nil
		}
		return stub.BuildELF(page, bootAddress, offEntry)
	})
}
