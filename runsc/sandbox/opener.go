package sandbox

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// StartOpener executes this binary as the opener of a network namespace (opener.c): what opens sockets of the frames of
// interfaces that come there. It ends when the socket that it returns is closed everywhere.
func StartOpener(netns string) (*os.File, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	ours, theirs, err := socketPair(unix.SOCK_SEQPACKET, "opener")
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	p, err := startOnOwnThread(netns, []string{"runsc", "opener"}, []string{"CORDON_ZONE=opener"}, []*os.File{null, null, null, theirs}, &syscall.SysProcAttr{Setsid: true})
	if err != nil {
		ours.Close()
		return nil, fmt.Errorf("starting the opener: %w", err)
	}
	go p.Wait() // leaves no zombie to a caller that stays
	return ours, nil
}
