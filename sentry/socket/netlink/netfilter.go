package netlink

import (
	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

func (k *call) netfilter() error { return linux.EOPNOTSUPP }

func (s *Socket) batch(*vfs.Caller, []byte) bool { return false }
