package tmpfs

import "cordon/sentry/memmap"

// Text implements memmap.TextSource.
func (f *file) Text() memmap.TextFile { return f }

// TextPlace implements memmap.TextFile.
func (f *file) TextPlace() *memmap.TextPlace { return f.maps.TextPlace() }

// TextVersion implements memmap.TextFile: whoever changes the file says so.
func (f *file) TextVersion() (v memmap.TextVersion, ok bool) { return v, !f.maps.Writable() }
