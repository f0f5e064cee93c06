package mm

// Users returns how many users the space has: more than one when another
// task, or something that looks into the space, would see a store.
func (m *MemoryManager) Users() int64 { return m.users.Load() }
