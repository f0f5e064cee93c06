package netlink

import "cordon/internal/linux"

func (k *call) diagnose() error { return linux.EOPNOTSUPP }
