package sandbox

import (
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// fdMemMount is the boot process's descriptor of the memory file's mount, as
// enter.c has it.
const fdMemMount = 1000

// ResizeMemory changes how large the memory file of a sandbox can become, in
// bytes; 0 is no bound. It takes the rights of whoever owns the sandbox's user
// namespace.
func ResizeMemory(bootPID int, bytes int64) error {
	path := fmt.Sprintf("/proc/%d/fd/%d", bootPID, fdMemMount)
	fs, err := unix.Fspick(unix.AT_FDCWD, path, unix.FSPICK_CLOEXEC)
	if err != nil {
		return fmt.Errorf("the mount of the sandbox's memory: %w", err)
	}
	defer unix.Close(fs)
	if err := unix.FsconfigSetString(fs, "size", strconv.FormatInt(bytes, 10)); err != nil {
		return fmt.Errorf("resizing the sandbox's memory to %d bytes: %w", bytes, err)
	}
	if err := unix.FsconfigReconfigure(fs); err != nil {
		return fmt.Errorf("resizing the sandbox's memory to %d bytes: %w", bytes, err)
	}
	return nil
}
