package memfile

// KindAt says what the page at off is for.
func (f *File) KindAt(off uint64) Kind {
	f.mu.Lock()
	defer f.mu.Unlock()
	if g, ok := f.refs.s.Find(off); ok {
		return g.Value.kind
	}
	return Anonymous
}
