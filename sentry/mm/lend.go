package mm

import "cordon/platform"

// A FlagTable is a table of descriptors that can be lent to a guest
// (platform.FlagKeeper).
type FlagTable interface {
	// LendFlags says in which words the guest is to find what is open. It is false
	// where the table has been lent to another.
	LendFlags(words []uint32) bool

	// RecallFlags ends that. Afterwards the words are nobody's.
	RecallFlags(words []uint32)
}

// A loan is what a space's guest has been lent, until the space has another stub.
type loan struct {
	table FlagTable
	words []uint32
}

// LendFlags lends t to the guest of the space, whose platform side there is, and reports
// whether it answers for t now: it does for one table, the first. The caller is a user.
func (m *MemoryManager) LendFlags(t FlagTable) bool {
	l := m.lent.Load()
	if l == nil {
		as := m.as.Load()
		if as == nil {
			return false
		}
		k, ok := (*as).(platform.FlagKeeper)
		if !ok {
			return false
		}
		m.lent.CompareAndSwap(nil, &loan{t, k.FlagWords()})
		l = m.lent.Load()
	}
	return l.table == t && t.LendFlags(l.words)
}

// recallFlags ends the loan. No guest thread runs in the space by then.
func (m *MemoryManager) recallFlags() {
	if l := m.lent.Swap(nil); l != nil {
		l.table.RecallFlags(l.words)
	}
}
