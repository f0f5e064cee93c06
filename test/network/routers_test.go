package network

import (
	"bufio"
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// routers is how many stand between the two ends: left - r1 - r2 - ... - right, with a segment between each two.
const routers = 9

func TestNineRouters(t *testing.T) {
	needUserNS(t)
	w := newWorld(t, ordinary())
	segment := func(i int) string { return fmt.Sprintf("s%d", i) }
	for i := range routers + 1 {
		w.must("network", "create", segment(i))
		t.Cleanup(func() { w.must("network", "rm", "--force", segment(i)) })
	}
	hops := w.cmd("network", "watch")
	out, err := hops.StdoutPipe()
	w.check(err)
	w.check(hops.Start())
	seen := make(chan map[string]any, 1000)
	go func() {
		defer close(seen)
		for s := bufio.NewScanner(out); s.Scan(); {
			var h map[string]any
			if json.Unmarshal(s.Bytes(), &h) == nil {
				seen <- h
			}
		}
	}()
	t.Cleanup(func() {
		hops.Process.Kill()
		hops.Wait()
	})

	left, right := "10.0.0.1", fmt.Sprintf("10.0.%d.2", routers)
	for i := 1; i <= routers; i++ {
		flags := []string{"--hostname", fmt.Sprintf("r%d", i), "--sysctl", "net.ipv4.ip_forward=1",
			"--net", fmt.Sprintf("%s:10.0.%d.2/24", segment(i-1), i-1), "--net", fmt.Sprintf("%s:10.0.%d.1/24", segment(i), i)}
		for far := range routers + 1 {
			switch {
			case far < i-1:
				flags = append(flags, "--route", fmt.Sprintf("10.0.%d.0/24=10.0.%d.1", far, i-1))
			case far > i:
				flags = append(flags, "--route", fmt.Sprintf("10.0.%d.0/24=10.0.%d.2", far, i))
			}
		}
		w.start(flags, "stay")
	}
	w.start([]string{"--hostname", "right", "--net", fmt.Sprintf("%s:%s/24", segment(routers), right),
		"--route", fmt.Sprintf("default=10.0.%d.1", routers)}, "serve", "7")
	end := []string{"--hostname", "left", "--net", segment(0) + ":" + left + "/24", "--route", "default=10.0.0.2"}

	t.Run("ping_end_to_end", func(t *testing.T) {
		if got := fields(w.must(w.guest(end, "ping", right, "64")...)); len(got) != 1 || got[0] != right {
			t.Errorf("answered: %q", got)
		}
	})
	t.Run("a_ping_is_seen_on_every_segment", func(t *testing.T) {
		missing := make(map[string]bool)
		for i := range routers + 1 {
			missing[segment(i)] = true
		}
		timeout := time.After(limit)
		for len(missing) > 0 {
			select {
			case h, ok := <-seen:
				if !ok {
					t.Fatal("watching has ended")
				}
				if h["info"] == "echo request" && h["src"] == left && h["dst"] == right {
					delete(missing, h["network"].(string))
				}
			case <-timeout:
				t.Fatalf("not on %v", missing)
			}
		}
	})
	t.Run("traceroute_names_every_router", func(t *testing.T) {
		got := fields(w.must(w.guest(end, "traceroute", right)...))
		if len(got) != routers+1 {
			t.Fatalf("%d hops: %q", len(got), got)
		}
		for i, who := range got[:routers] {
			if want := fmt.Sprintf("10.0.%d.2", i); who != want {
				t.Errorf("hop %d is %s, not %s", i+1, who, want)
			}
		}
		if got[routers] != right {
			t.Errorf("the last is %s", got[routers])
		}
	})
	t.Run("streams_and_datagrams_arrive", func(t *testing.T) {
		for _, network := range []string{"tcp", "udp"} {
			if got := fields(w.must(w.guest(end, "send", network, right+":7", "hello")...)); len(got) != 1 || got[0] != "HELLO" {
				t.Errorf("%s: %q", network, got)
			}
		}
		w.must(w.guest(end, "pour", right+":8", "3000000")...)
	})
}
