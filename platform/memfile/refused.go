package memfile

import (
	"bytes"
	"runtime/debug"
)

// The host may refuse a page at its first touch: the file is as large as it can
// be, or somebody else has cut a mapped file short. In the Sentry that is SIGBUS,
// which these functions survive. They hold no lock, and what they were called
// under stays as it is.

// Copy copies from to to, as much as fits. It reports false where a page is refused; then some
// may have been copied.
func Copy(to, from []byte) (ok bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer survive(&ok)
	copy(to, from)
	return true
}

// Clear zeroes b, with Copy's result.
func Clear(b []byte) (ok bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer survive(&ok)
	clear(b)
	return true
}

// IndexByte is bytes.IndexByte, with Copy's result.
func IndexByte(b []byte, c byte) (i int, ok bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer survive(&ok)
	return bytes.IndexByte(b, c), true
}

// survive ends the panic of a function that has not said ok.
func survive(ok *bool) {
	if !*ok {
		_ = recover()
	}
}

// OnRefused says what AwaitRoom does. Called before a guest runs.
func (f *File) OnRefused(wait func()) { f.wait.Store(&wait) }

// AwaitRoom waits, for a while at most, until the file can grow again.
func (f *File) AwaitRoom() {
	if wait := f.wait.Load(); wait != nil {
		(*wait)()
	}
}

// OnRoom says what HasRoom answers. Called before a guest runs.
func (f *File) OnRoom(has func(n uint64) bool) { f.room.Store(&has) }

// HasRoom reports whether n bytes more, which are to be there at once and are no process's, leave the
// others what they need: nobody is to be killed for them.
func (f *File) HasRoom(n uint64) bool {
	has := f.room.Load()
	return has == nil || (*has)(n)
}

// eachPage calls fn with the pages of b, which lies at off in the file.
func eachPage(b []byte, off uint64, fn func(at int, page []byte)) {
	for at := 0; at < len(b); {
		n := min(len(b)-at, int(pageSize-(off+uint64(at))%pageSize))
		fn(at, b[at:at+n])
		at += n
	}
}
