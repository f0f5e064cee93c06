package cgroup

import (
	"cmp"
	"slices"
)

func sortFiles(list []FileImage) {
	slices.SortFunc(list, func(a, b FileImage) int { return cmp.Compare(a.Name, b.Name) })
}

// Restored names the children, whose own images may come later than their
// parent's. Called once all objects are filled.
func (h *Hierarchy) Restored() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.root != nil {
		h.root.nameChildrenLocked(maxDepth)
	}
}

func (g *Group) adopt(children []*Group) { g.loaded = children }

func (g *Group) nameChildrenLocked(depth int) {
	for _, c := range g.loaded {
		if c != nil && depth > 0 && c.parent == g {
			g.children[c.name] = c
			c.nameChildrenLocked(depth - 1)
		}
	}
	g.loaded = nil
}
