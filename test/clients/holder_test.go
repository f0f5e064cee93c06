package clients

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// holderEnv makes the test binary the first process of a world.
const holderEnv = "CORDON_CLIENTS_HOLDER"

// hold furnishes the namespaces it was made with, says "ready", and reaps
// processes until its standard input ends. All processes of the world end with
// it.
func hold() int {
	if err := furnish(); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("ready")
	os.Stdout.Close()
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	for {
		// Sleeps without children too: one that is made later is a child of
		// nsenter first.
		if _, err := unix.Wait4(-1, nil, 0, nil); err == unix.ECHILD {
			unix.Nanosleep(&unix.Timespec{Nsec: 20e6}, nil)
		}
	}
}

// furnish gives the world mounts of its own, shared among what is in it as on
// an ordinary host.
func furnish() error {
	resolv, _ := os.ReadFile("/etc/resolv.conf")
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
		return fmt.Errorf("mounting /run: %w", err)
	}
	if to, err := os.Readlink("/etc/resolv.conf"); err == nil && strings.HasPrefix(to, "/run/") {
		os.MkdirAll(to[:strings.LastIndex(to, "/")], 0o755)
		os.WriteFile(to, resolv, 0o644)
	}
	if err := os.Mkdir("/run/lock", 0o777); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("making mounts shared: %w", err)
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("ip link set lo up: %w: %s", err, out)
	}
	return nil
}
