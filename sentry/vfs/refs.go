package vfs

// References returns how many references d has now, for the collector of unix
// sockets that are in flight in each other's messages.
func (d *Description) References() int64 { return d.refs.Load() }
