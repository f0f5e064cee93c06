package vfs

// Type returns the file system type called name.
func (v *VFS) Type(name string) (FileSystemType, bool) {
	t, ok := v.types[name]
	return t, ok
}
