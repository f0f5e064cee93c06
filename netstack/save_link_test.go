package netstack

import (
	"bytes"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
)

// TestLoadTakesLinks saves one end of a connection, ends it, and loads it on a link in place of the one that it had.
func TestLoadTakesLinks(t *testing.T) {
	for _, tc := range []struct {
		name, addr string
		lost       bool
	}{
		{"same_address_keeps_the_connection", "10.9.0.2/24", false},
		{"other_address_resets_the_connection", "10.9.0.3/24", true},
		{"no_link_resets_the_connection", "", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, b := joined(t)
			client, server := connected(t, a, b)
			send(t, client, "before")
			eventually(t, "the data has come", func() bool { return server.Readiness(EventIn)&EventIn != 0 })
			fd, err := unix.Dup(b.frameLinks()[0].fd)
			check(t, err)
			b.CutOff()
			var blob bytes.Buffer
			check(t, Save(&blob, []*Stack{b}, []*Endpoint{server}))
			Resume([]*Stack{b})
			b.CutOff() // Resume has it receive
			server.Abort()
			b.Close()
			send(t, client, " and after")

			stacks, ends, err := Load(&blob, func(s *Stack) error {
				if tc.addr == "" {
					return unix.Close(fd)
				}
				check(t, s.AddLink(9, Link{Name: "eth0", HWAddr: HWAddr{2, 0, 0, 0, 0, 2}, MTU: 1500, FD: fd}))
				return s.AddAddress(2, netip.MustParsePrefix(tc.addr)) // the index that it had
			}, nil)
			check(t, err)
			t.Cleanup(stacks[0].Close)
			stacks[0].Receive()
			var got bytes.Buffer
			if tc.lost {
				if _, err := ends[0].Read(&got, ReadOptions{}); err != linux.ECONNRESET {
					t.Errorf("read of a connection that is gone: %v", err)
				}
				return
			}
			eventually(t, "all has arrived", func() bool {
				ends[0].Read(&got, ReadOptions{})
				return got.String() == "before and after"
			})
			send(t, ends[0], "answer")
			got.Reset()
			eventually(t, "the answer has arrived", func() bool {
				_, err := client.Read(&got, ReadOptions{})
				return err == nil && got.String() == "answer"
			})
		})
	}
}

func send(t *testing.T, e *Endpoint, text string) {
	t.Helper()
	if n, err := e.Write(payload{bytes.NewReader([]byte(text))}, WriteOptions{}); err != nil || n != len(text) {
		t.Fatalf("write: %d, %v", n, err)
	}
}
