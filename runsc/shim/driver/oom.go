package driver

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"

	"cordon/runsc/control"
)

// awaitOOM is the sandbox's operation that returns, once more than a number of
// a container's processes were ended for memory, how many that are by now.
const awaitOOM = "await-oom"

// WatchOOM calls f whenever the sandbox has ended processes of a container for
// memory, with how many they are by then, until stop is called or the container ends.
// It asks the sandbox directly: a command of the runtime would have to run as long as
// the container.
func (r *Runtime) WatchOOM(id string, f func(killed uint64)) (stop func(), err error) {
	data, err := os.ReadFile(filepath.Join(r.Root, id, "state.json"))
	if err != nil {
		return nil, err
	}
	var state struct{ Sandbox string }
	if err := json.Unmarshal(data, &state); err != nil {
		return nil, err
	}
	c, err := control.Dial(filepath.Join(r.Root, id, "control.sock"))
	if err != nil {
		return nil, err
	}
	if state.Sandbox != "" {
		c.To = id
	}
	var mu sync.Mutex
	open := true // guarded by mu
	go func() {
		for seen := uint64(0); ; f(seen) {
			// An error: the container has ended, or stop was called.
			if err := c.Call(awaitOOM, seen, &seen); err != nil {
				break
			}
		}
		mu.Lock()
		defer mu.Unlock()
		open = false
		c.Close()
	}()
	return func() {
		mu.Lock()
		defer mu.Unlock()
		if open {
			c.Interrupt()
		}
	}, nil
}
