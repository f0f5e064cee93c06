package sandbox

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"cordon/gofer/hostfs"
	"cordon/gofer/server"
	"cordon/runsc/filter"
	"cordon/runsc/idle"

	"golang.org/x/sys/unix"
)

// Descriptors of the gofer process; enter.c has the same numbers.
const (
	fdGoferReady = 3
	fdGofer9P    = 4
	fdGoferSide  = 5
	fdGoferProc  = 6
	fdGoferRoots = 7
)

// maxFilter bounds the filter program that is read.
const maxFilter = 1 << 20

// GoferMain is the gofer process after enter.c has taken its rights away: args
// are the trees (see Root.kind), whose descriptors enter.c has opened. It returns
// the exit code.
func GoferMain(args []string) int {
	if err := gofer(args); err != nil {
		// The parent may be gone, or have stopped listening.
		unix.Write(fdGoferReady, []byte("E"+err.Error()))
		return 1
	}
	return 0
}

func gofer(args []string) error {
	names := strings.Split(os.Getenv("CORDON_TREES"), ",")
	if len(names) != len(args) {
		return fmt.Errorf("%d trees have %d names", len(args), len(names))
	}
	cfg := hostfs.Config{ProcFD: fdGoferProc}
	for i, arg := range args {
		name, connect := strings.CutSuffix(names[i], "+connect")
		cfg.Mounts = append(cfg.Mounts, hostfs.Mount{
			Name:     name,
			Root:     fdGoferRoots + i,
			Path:     arg[len("ro:"):],
			ReadOnly: strings.HasPrefix(arg, "ro"),
			Connect:  connect,
		})
	}
	prog, err := readFilter(fdGoferRoots + len(args))
	if err != nil {
		return err
	}
	if len(prog) > 0 {
		if err := filter.Install(prog); err != nil {
			return fmt.Errorf("installing the system call filter: %w", err)
		}
	}
	runtime.GOMAXPROCS(server.Procs())
	idle.Settle()
	// Success needs no report: the parent waits for the Sentry's.
	return hostfs.Serve(fdGofer9P, fdGoferSide, cfg)
}

func readFilter(fd int) ([]byte, error) {
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, fmt.Errorf("reading the filter: %w", err)
	}
	if st.Size > maxFilter {
		return nil, fmt.Errorf("a filter of %d bytes", st.Size)
	}
	prog := make([]byte, st.Size)
	if len(prog) == 0 {
		return nil, nil
	}
	if n, err := unix.Pread(fd, prog, 0); err != nil || n != len(prog) {
		return nil, fmt.Errorf("reading the filter: %d bytes, %v", n, err)
	}
	return prog, nil
}
