package refs

import (
	"strings"
	"sync"
	"testing"
)

func TestLastDropDestroysOnce(t *testing.T) {
	var c Count
	c.Init("thing")
	destroyed := 0
	c.IncRef()
	c.DecRef(func() { destroyed++ })
	if destroyed != 0 || c.Refs() != 1 {
		t.Fatalf("destroyed %d times with %d references", destroyed, c.Refs())
	}
	c.DecRef(func() { destroyed++ })
	if destroyed != 1 {
		t.Fatalf("destroyed %d times", destroyed)
	}
	if c.TryIncRef() {
		t.Error("a dead object came back to life")
	}
}

func TestMisuse(t *testing.T) {
	for name, f := range map[string]func(*Count){
		"taken on a dead object": func(c *Count) { c.DecRef(nil); c.IncRef() },
		"once too often":         func(c *Count) { c.DecRef(nil); c.DecRef(nil) },
		"set up twice":           func(c *Count) { c.Init("again") },
	} {
		func() {
			var c Count
			c.Init("thing")
			defer func() {
				if s, _ := recover().(string); !strings.Contains(s, name) {
					t.Errorf("panic %q, want %q", s, name)
				}
			}()
			f(&c)
		}()
	}
}

func TestConcurrentTryIncRef(t *testing.T) {
	for range 200 {
		var c Count
		c.Init("thing")
		destroyed := make(chan bool, 8)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if c.TryIncRef() {
					c.DecRef(func() { destroyed <- true })
				}
			})
		}
		c.DecRef(func() { destroyed <- true })
		wg.Wait()
		if len(destroyed) != 1 {
			t.Fatalf("destroyed %d times", len(destroyed))
		}
	}
}

func TestLeaks(t *testing.T) {
	var c Count
	c.Init("leaky thing")
	defer c.DecRef(nil)
	found := false
	for _, l := range Leaks() {
		found = found || strings.Contains(l, "leaky thing") && strings.Contains(l, "TestLeaks")
	}
	if found != Checking {
		t.Errorf("leak reported: %v, want %v", found, Checking)
	}
}
