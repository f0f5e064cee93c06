package memfile

// A File is a memory file.
type File struct{}
