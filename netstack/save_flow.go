package netstack

import (
	"bytes"
	"math"

	"cordon/internal/linux"
)

// flowImage returns the saved form of what e reads past the stack, and of how much went through it. Nobody reads or writes.
func (e *Endpoint) flowImage(numbers map[*Endpoint]int) flowImage {
	if e.kind != TCP {
		return flowImage{}
	}
	e.wmu.Lock()
	im := flowImage{sent: e.sent, received: e.received.Load()}
	e.wmu.Unlock()
	e.rmu.Lock()
	defer e.rmu.Unlock()
	if f := e.in.Load(); f != nil {
		im.spliced, im.earlier, im.data = true, f.earlier, f.bytes()
		if !f.from.gone.Load() {
			im.peer = numbers[f.from]
		}
	}
	return im
}

// restoreFlow gives the loaded endpoint i what it reads past the stack, or lets it look for its peer.
func (img *image) restoreFlow(i int, endpoints []*Endpoint) error {
	im, e := &img.endpoints[i].flow, endpoints[i]
	if e.kind != TCP {
		return nil
	}
	e.sent = im.sent
	e.received.Store(im.received)
	if !im.spliced {
		e.announce()
		return nil
	}
	from := &Endpoint{stack: e.stack, kind: TCP} // one that has closed
	if im.peer != 0 {
		if im.peer < 0 || im.peer > len(endpoints) || img.endpoints[im.peer-1].flow.peer != i+1 {
			return linux.EINVAL
		}
		from = endpoints[im.peer-1]
		if from.kind != TCP {
			return linux.EINVAL
		}
	}
	f := &flow{from: from, to: e, earlier: im.earlier}
	if _, err := f.write(bytes.NewReader(im.data), math.MaxInt); err != nil {
		return linux.EINVAL
	}
	e.in.Store(f)
	if im.peer != 0 {
		from.out.Store(f)
	}
	return nil
}
