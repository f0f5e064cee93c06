package procfs

import (
	"cmp"
	"slices"

	"cordon/checkpoint"
	"cordon/internal/linux"
)

// An Image is what the instances share, in a checkpoint. Values of sysctls are
// where they have their effect; the rest is made anew.
type Image struct {
	BootID  string
	NextNS  uint32
	Spaces  []SpaceImage
	Busiest int64
}

// A SpaceImage is the number of a namespace.
type SpaceImage struct {
	Object checkpoint.Ref
	Number uint32
}

// Image returns the image of what f shares with other instances. ref names a
// namespace in the checkpoint.
func (f *FileSystem) Image(ref func(object any) checkpoint.Ref) Image {
	sh := f.shared
	sh.mu.Lock()
	defer sh.mu.Unlock()
	im := Image{BootID: sh.bootID, NextNS: sh.nextNS, Busiest: sh.busiest.Load()}
	type numbered struct {
		object any
		number uint32
	}
	var all []numbered
	for o, n := range sh.nsIDs {
		all = append(all, numbered{o, n})
	}
	// In order of numbers, so that the same state names the objects alike.
	slices.SortFunc(all, func(a, b numbered) int { return cmp.Compare(a.number, b.number) })
	for _, n := range all {
		im.Spaces = append(im.Spaces, SpaceImage{ref(n.object), n.number})
	}
	return im
}

// Restore gives f, newly made, what im says. get finds a namespace; it returns
// nil for what the image does not have.
func (f *FileSystem) Restore(im Image, get func(checkpoint.Ref) any) linux.Errno {
	if len(im.BootID) != len(uuidText([16]byte{})) || im.NextNS < firstFreeNS || len(im.Spaces) > maxNSIDs || im.Busiest < 0 {
		return linux.EINVAL
	}
	sh := f.shared
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, s := range im.Spaces {
		o := get(s.Object)
		if o == nil || s.Number < firstFreeNS || s.Number >= im.NextNS {
			return linux.EINVAL
		}
		sh.nsIDs[o] = s.Number
	}
	sh.bootID, sh.nextNS = im.BootID, im.NextNS
	sh.busiest.Store(im.Busiest)
	return 0
}

// A TextImage is an open file's text in a checkpoint, from which reads go on.
// The file itself is opened again by its path.
type TextImage struct {
	Data []byte
	Have bool
}

// Image returns f's image.
func (f *textFile) Image() TextImage {
	f.mu.Lock()
	defer f.mu.Unlock()
	return TextImage{f.data, f.have}
}

// Restore makes reads of f, newly opened, go on where the image was.
func (f *textFile) Restore(im TextImage) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.data, f.have = im.Data, im.Have
}
