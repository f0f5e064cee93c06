package task

import (
	"cordon/checkpoint"
	"cordon/sentry/cred"
)

// TimeNamespaceImage is a TimeNamespace in a checkpoint: CLOCK_MONOTONIC goes on
// after a restore, so that the offsets stand.
type TimeNamespaceImage struct {
	User    checkpoint.Ref
	Offsets TimeOffsets
	Frozen  bool
}

func saveTimeNamespace(s *checkpoint.Saver, n *TimeNamespace) TimeNamespaceImage {
	n.mu.Lock()
	defer n.mu.Unlock()
	return TimeNamespaceImage{s.Ref(n.user), n.offsets, n.frozen}
}

func loadTimeNamespace(l *checkpoint.Loader, n *TimeNamespace, im TimeNamespaceImage) (err error) {
	n.user, err = checkpoint.Get[*cred.UserNamespace](l, im.User)
	n.offsets, n.frozen = im.Offsets, im.Frozen
	return err
}
