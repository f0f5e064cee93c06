// Command criu answers the one question that Podman has for CRIU where the runtime
// saves containers itself: its version. It is called as `criu swrk FD`, with a socket
// of requests as in criu's rpc.proto.
package main

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

func main() {
	if err := answer(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func answer() error {
	if len(os.Args) != 3 || os.Args[1] != "swrk" {
		return fmt.Errorf("criu %q: this one has a version and nothing else", os.Args[1:])
	}
	fd, err := strconv.Atoi(os.Args[2])
	if err != nil {
		return err
	}
	request := make([]byte, 4096)
	n, err := unix.Read(fd, request)
	if err != nil {
		return err
	}
	// criu_req{type: VERSION}
	const version = 10
	if n < 2 || request[0] != 1<<3 || request[1] != version {
		return fmt.Errorf("a request that is not for the version: %x", request[:n])
	}
	// criu_resp{type: VERSION, success: true, version: {major_number: 3, minor_number: 17}}
	_, err = unix.Write(fd, []byte{1 << 3, version, 2 << 3, 1, 10<<3 | 2, 4, 1 << 3, 3, 2 << 3, 17})
	return err
}
