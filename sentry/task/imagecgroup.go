package task

import (
	"cordon/checkpoint"
	"cordon/sentry/cgroup"
)

// CgroupNamespaceImage is a CgroupNamespace in a checkpoint.
type CgroupNamespaceImage struct{ Root checkpoint.Ref }

func saveCgroupNamespace(s *checkpoint.Saver, n *CgroupNamespace) CgroupNamespaceImage {
	return CgroupNamespaceImage{s.Ref(n.root)}
}

func loadCgroupNamespace(l *checkpoint.Loader, n *CgroupNamespace, im CgroupNamespaceImage) (err error) {
	if n.root, err = checkpoint.Get[*cgroup.Group](l, im.Root); err == nil && n.root == nil {
		return errImage
	}
	return err
}

// countAgain counts a restored task in its control group. It reports false where
// it has none.
func (t *Task) countAgain() bool {
	g := t.group
	cg := g.Cgroup()
	if cg == nil {
		return false
	}
	cg.MoveTasks(1)
	if t == g.leader && !g.zombieNow {
		cg.AddProcess(1)
	}
	if cg.Held() {
		t.work.Or(workFreeze)
	}
	return true
}
