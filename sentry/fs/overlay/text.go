package overlay

import "cordon/sentry/memmap"

// Text implements memmap.TextSource: the text is that of the layer with the data.
func (x *content) Text() memmap.TextFile {
	if s, ok := x.current().(memmap.TextSource); ok {
		return s.Text()
	}
	return nil
}
