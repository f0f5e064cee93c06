package systrap

import "cordon/platform"

// The first page of a slot, which the stub can only read, has a word for each
// system call: answerable and the answer, another kind of answer, or 0: none.
const (
	factCalls  = 448
	answerable = 1 << 63

	// Other kinds, as stub_amd64.s has them.
	storesCPU    = 1 << 32
	wakesNobody  = 2 << 32
	keepsFlags   = 4 << 32
	refusesWatch = 8 << 32
	syncsMemory  = 16 << 32
)

// word is what stands there for a fact.
func word(f platform.Fact) uint64 {
	switch f.Kind {
	case platform.StoreCPU:
		return storesCPU | uint64(f.Value)
	case platform.WakeNobody:
		return wakesNobody
	case platform.KeepFlags:
		return keepsFlags
	case platform.RefuseWatch:
		return refusesWatch
	case platform.SyncMemory:
		return syncsMemory
	}
	return answerable | uint64(f.Value)
}

// Inform implements platform.Informer.
func (c *Context) Inform(facts []platform.Fact) {
	c.factsMu.Lock()
	defer c.factsMu.Unlock()
	old := c.facts
	c.facts = facts
	if c.told == nil {
		return
	}
	for _, f := range old {
		c.told.answer(f.Call, 0)
	}
	c.tellLocked()
}

// tell moves what the guest is told to another thread.
func (c *Context) tell(t *thread) {
	c.factsMu.Lock()
	defer c.factsMu.Unlock()
	if c.told != nil {
		for _, f := range c.facts {
			c.told.answer(f.Call, 0)
		}
	}
	c.told = t
	c.tellLocked()
}

func (c *Context) tellLocked() {
	if c.told == nil {
		return
	}
	for _, f := range c.facts {
		c.told.answer(f.Call, word(f))
	}
}
