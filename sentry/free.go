package sentry

import "time"

// Parameters of Free: how often it looks, and for how long.
const (
	freeEvery = time.Millisecond
	freeLooks = 5000
)

// Free gives back what a stopped sandbox holds of its process: memory file,
// descriptors and network stack. It is for processes that have many sandboxes, one after another;
// others end. It waits for the guest's processes to end, and leaves all as it is
// when they do not.
func (k *Kernel) Free() {
	for range freeLooks {
		if k.ended() {
			k.notifier.Release()
			if s := k.Stack(); s != nil {
				s.Close()
			}
			k.sys.Memory.Close()
			return
		}
		time.Sleep(freeEvery)
	}
}

// ended reports whether nothing of the guest runs.
func (k *Kernel) ended() bool {
	for _, t := range k.sys.Tasks() {
		if t.State() != 'Z' {
			return false
		}
	}
	return true
}
