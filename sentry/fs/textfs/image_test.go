package textfs

import "cordon/sentry/vfs"

var (
	_ vfs.Regenerated = (*FS)(nil)
	_ vfs.Reopened    = (*openText)(nil)
	_ vfs.Reopened    = (*dirFile)(nil)
)
