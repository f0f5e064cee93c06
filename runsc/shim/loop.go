package shim

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// loopTries bounds how often a free loop device is asked for: others take them too.
const loopTries = 20

// openLoop returns a loop device with a file in it, which goes when it is neither open
// nor mounted any more.
func openLoop(file string, readOnly bool) (*os.File, error) {
	mode, flags := os.O_RDWR, uint32(unix.LO_FLAGS_AUTOCLEAR)
	if readOnly {
		mode, flags = os.O_RDONLY, flags|unix.LO_FLAGS_READ_ONLY
	}
	back, err := os.OpenFile(file, mode, 0)
	if err != nil {
		return nil, err
	}
	defer back.Close()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	config := unix.LoopConfig{Fd: uint32(back.Fd()), Info: unix.LoopInfo64{Flags: flags}}
	copy(config.Info.File_name[:len(config.Info.File_name)-1], file)
	for range loopTries {
		number, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("a free loop device: %w", err)
		}
		name := fmt.Sprintf("/dev/loop%d", number)
		// A /dev without a manager of devices has nodes of the first few only.
		if err := unix.Mknod(name, unix.S_IFBLK|0o660, int(unix.Mkdev(loopMajor, uint32(number)))); err != nil && err != unix.EEXIST {
			return nil, &os.PathError{Op: "mknod", Path: name, Err: err}
		}
		device, err := os.OpenFile(name, mode, 0)
		if err != nil {
			return nil, err
		}
		if err = unix.IoctlLoopConfigure(int(device.Fd()), &config); err == nil {
			return device, nil
		}
		device.Close()
		if !errors.Is(err, unix.EBUSY) {
			return nil, fmt.Errorf("putting %s into %s: %w", file, name, err)
		}
	}
	return nil, errors.New("others take every loop device")
}

// loopMajor is the number of loop devices (Linux: LOOP_MAJOR).
const loopMajor = 7
