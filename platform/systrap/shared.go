package systrap

import (
	"sync"

	"cordon/platform"
	"cordon/platform/systrap/patch"
)

const (
	// sharedCalls is how many calls of an instruction trap, in all spaces that
	// have it together, before it is patched for all of them.
	sharedCalls = 6

	// maxSites is how many instructions of a text are counted.
	maxSites = 4096
)

// sharedPatches is what patchers know of a text that address spaces share.
type sharedPatches struct {
	mu sync.RWMutex
	// guarded by mu
	sites   map[uint64]*sharedSite
	arena   *patch.Arena
	patches patch.Set
}

// A sharedSite is an instruction that traps.
type sharedSite struct {
	calls, tries int
	patched      bool
}

func newShared() any { return &sharedPatches{sites: map[uint64]*sharedSite{}} }

func sharedOf(s platform.SharedText) *sharedPatches { return s.Keep(newShared).(*sharedPatches) }

// sharedReader reads a shared text for package patch.
type sharedReader struct{ platform.SharedText }

func (r sharedReader) Read(at uint64, b []byte) int { return r.ReadText(at, b) }

// A verdict says what comes of a call that trapped in a text that could be shared.
type verdict uint8

const (
	wait    verdict = iota // there may be a patch, or is
	private                // the space has to patch its own text
	never                  // there cannot be a patch
)

// trapped notes a call that trapped at the address addr of a space, and at at in s.
func (k *sharedPatches) trapped(c platform.Context, text platform.Text, s platform.SharedText, addr, at uint64, entry uint64) verdict {
	k.mu.Lock()
	defer k.mu.Unlock()
	x := k.sites[at]
	if x == nil {
		if len(k.sites) == maxSites {
			return private
		}
		x = &sharedSite{}
		k.sites[at] = x
	}
	if x.patched {
		// The space does not have the patched text yet, or somebody jumps
		// behind the patch.
		switch text.ShareText(c, addr) {
		case platform.NotShared:
			return private
		case platform.SharedNow:
			return wait
		}
	}
	if x.tries >= maxTries {
		return never
	}
	if x.calls++; x.calls < sharedCalls {
		return wait
	}
	x.calls = 0
	x.tries++
	switch v := k.patchLocked(s, at, entry); {
	case v == never:
		x.tries = maxTries // for all spaces: it depends on nothing else
		return never
	case v == private:
		x.tries--
		return private
	case text.ShareText(c, addr) == platform.NotShared:
		x.patched = true
		return private
	}
	x.patched = true
	return wait
}

// patchLocked patches the instruction at at of s.
func (k *sharedPatches) patchLocked(s platform.SharedText, at, entry uint64) verdict {
	plan, ok := patch.AnalyzeShared(k.patches.Original(sharedReader{s}), at)
	if !ok {
		return never
	}
	from, to := at, at
	for i := range plan.Stores {
		st := &plan.Stores[i]
		from, to = min(from, st.Addr), max(to, st.Addr+uint64(len(st.Old)))
	}
	if s.Prepare(from, to) != 0 {
		return private
	}
	if k.arena == nil {
		base, size, errno := s.Arena()
		if errno != 0 {
			return private
		}
		k.arena = patch.NewArena(base, size, 0, 0)
	}
	done, ok := k.arena.Place(&plan, entry)
	if !ok {
		return never
	}
	if s.ArenaWrite(done.Tramp, done.Code) != 0 {
		return private
	}
	for i := range done.Stores {
		st := &done.Stores[i]
		if s.PatchText(st.Addr, st.Old, st.New) != 0 {
			return private // what is stored already nobody reaches
		}
	}
	k.patches.Add(done)
	return wait
}

// resume is Patcher.Resume for addresses in the shared text.
func (k *sharedPatches) resume(at uint64) uint64 {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if to, ok := k.patches.Resume(at); ok {
		return to
	}
	return at
}
