package devfs

// The nodes of /dev are a tmpfs's; the files that they open keep nothing.

// Reopened implements vfs.Reopened.
func (device) Reopened() {}

// Reopened implements vfs.Reopened.
func (randomFile) Reopened() {}
