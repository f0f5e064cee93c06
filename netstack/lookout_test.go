package netstack

import (
	"bytes"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sleeper takes a stack's lookout and waits at it, as a sleeper does, until it is told to leave; it counts what it handed on.
func sleeper(t *testing.T, s *Stack) (count func() int, leave func()) {
	t.Helper()
	l := s.Lookout()
	if l == nil {
		t.Fatal("no lookout")
	}
	stop, ended, n := make(chan struct{}), make(chan struct{}), make(chan int, 1)
	n <- 0
	go func() {
		defer close(ended)
		for {
			frames := l.Wait()
			select {
			case <-stop:
				l.Leave()
				return
			default:
			}
			if frames && l.HandOn() {
				n <- <-n + 1
			}
		}
	}()
	return func() int { v := <-n; n <- v; return v }, func() {
		close(stop)
		unix.Write(l.Bell(), []byte{1, 0, 0, 0, 0, 0, 0, 0})
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			t.Error("the bell was not heard")
		}
	}
}

func TestLookout(t *testing.T) {
	t.Run("one_has_it_at_a_time", func(t *testing.T) {
		a, _ := offloading(t)
		l := a.Lookout()
		if l == nil || a.Lookout() != nil {
			t.Fatal("not so")
		}
		l.Leave()
		if a.Lookout() == nil {
			t.Error("gone after it was left")
		}
	})
	t.Run("who_sleeps_hands_on", func(t *testing.T) {
		a, b := offloading(t)
		client, server := connected(t, a, b)
		count, leave := sleeper(t, b)
		eventually(t, "handed on by the sleeper", func() bool {
			pump(t, client, server, []byte("x"), 1)
			return count() > 10
		})
		leave()
		before := count()
		if got := pump(t, client, server, []byte("after"), 5); string(got) != "after" || count() != before {
			t.Errorf("%q, %d more", got, count()-before)
		}
	})
	t.Run("frames_that_came_before_are_looked_for", func(t *testing.T) {
		a, b := offloading(t)
		client, server := connected(t, a, b)
		l := b.Lookout()
		defer l.Leave()
		for range 50 {
			client.Write(payload{bytes.NewReader([]byte("x"))}, WriteOptions{})
			l.HandOn()
		}
		var got bytes.Buffer
		eventually(t, "all has arrived", func() bool { server.Read(&got, ReadOptions{}); return got.Len() == 50 })
	})
	t.Run("who_tends_is_not_needed_for_long", func(t *testing.T) {
		a, b := offloading(t)
		client, server := connected(t, a, b)
		tend := func() {
			if l := a.Lookout(); l != nil { // not while much comes
				l.Tend()
				l.Leave()
			}
		}
		data := bytes.Repeat([]byte("0123456789"), 20_000)
		for range 3 { // whoever tends goes away, and comes again
			var got bytes.Buffer
			for sent := 0; sent < len(data); tend() {
				n, _ := client.Write(payload{bytes.NewReader(data[sent:min(len(data), sent+40_000)])}, WriteOptions{})
				sent += n
				server.Read(&got, ReadOptions{})
			}
			eventually(t, "all has arrived", func() bool { server.Read(&got, ReadOptions{}); return got.Len() == len(data) })
			if !bytes.Equal(got.Bytes(), data) {
				t.Fatal("other bytes arrived")
			}
			if got := pump(t, server, client, []byte("answer"), 6); string(got) != "answer" {
				t.Errorf("%q", got)
			}
		}
		f := a.watchable.Load()
		eventually(t, "the goroutine stands aside", func() bool {
			tend()
			client.Write(payload{bytes.NewReader([]byte("x"))}, WriteOptions{})
			return f.aside.Load()
		})
		eventually(t, "the goroutine is back", func() bool { return !f.aside.Load() })
	})
	t.Run("more_than_a_sleeper_hands_on_is_the_goroutines", func(t *testing.T) {
		a, b := offloading(t)
		client, server := connected(t, a, b)
		data := make([]byte, 4<<20)
		_, leave := sleeper(t, b)
		defer leave()
		if got := pump(t, client, server, data, 100); !bytes.Equal(got, data) {
			t.Error("other bytes arrived")
		}
	})
	t.Run("an_interface_that_is_taken_away_lets_sleepers_sleep", func(t *testing.T) {
		a, b := offloading(t)
		client, _ := connected(t, a, b)
		count, leave := sleeper(t, b)
		check(t, b.RemoveLink(2))
		before := count()
		for range 10 {
			client.Write(payload{bytes.NewReader([]byte("x"))}, WriteOptions{})
		}
		leave()
		if count() != before {
			t.Error("frames came")
		}
		if b.Lookout() != nil {
			t.Error("a lookout without an interface")
		}
	})
}
