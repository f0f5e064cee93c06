package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// An ordinary user may map its own id alone. newuidmap(1) and newgidmap(1), which
// have the right, write maps with what /etc/subuid and /etc/subgid give it besides.
const uidHelper, gidHelper = "newuidmap", "newgidmap"

// needHelpers reports whether the maps are more than the caller may write.
func (m IDMaps) needHelpers() bool {
	return os.Geteuid() != 0 && len(m.UID) > 0 && len(m.GID) > 0 && !(own(m.UID, os.Geteuid()) && own(m.GID, os.Getegid()))
}

func own(m []syscall.SysProcIDMap, id int) bool {
	return len(m) == 1 && m[0].Size == 1 && m[0].HostID == id
}

// Check says why an ordinary user could not have the maps.
func (m IDMaps) Check() error {
	if !m.needHelpers() {
		return nil
	}
	for _, f := range []struct {
		field, helper, file string
		maps                []syscall.SysProcIDMap
		id                  int
	}{{"uidMappings", uidHelper, "/etc/subuid", m.UID, os.Geteuid()}, {"gidMappings", gidHelper, "/etc/subgid", m.GID, os.Getegid()}} {
		if own(f.maps, f.id) {
			continue
		}
		if _, err := exec.LookPath(f.helper); err != nil {
			return fmt.Errorf("linux.%s: a user other than root can map no more than its own id without %s(1), which uses %s: %w", f.field, f.helper, f.file, err)
		}
	}
	// What owns the process has to be one of its own users.
	for _, e := range m.UID {
		if id := os.Geteuid(); id >= e.HostID && id-e.HostID < e.Size {
			return nil
		}
	}
	return errors.New("linux.uidMappings: the caller's own id is not among them")
}

// write writes the maps of a process that waits to be asked for files.
func (m IDMaps) write(p *os.Process) error {
	if !m.needHelpers() {
		return nil
	}
	if own(m.GID, os.Getegid()) {
		// As the kernel wants it of those who map a group of their own.
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/setgroups", p.Pid), []byte("deny"), 0); err != nil {
			return err
		}
	}
	if err := runHelper(gidHelper, p.Pid, m.GID); err != nil {
		return fmt.Errorf("linux.gidMappings: %w", err)
	}
	if err := runHelper(uidHelper, p.Pid, m.UID); err != nil {
		return fmt.Errorf("linux.uidMappings: %w", err)
	}
	return nil
}

func runHelper(name string, pid int, maps []syscall.SysProcIDMap) error {
	args := []string{strconv.Itoa(pid)}
	for _, e := range maps {
		args = append(args, strconv.Itoa(e.ContainerID), strconv.Itoa(e.HostID), strconv.Itoa(e.Size))
	}
	out, err := exec.Command(name, args...).CombinedOutput()
	if text := strings.TrimSpace(string(out)); err != nil && text != "" {
		return errors.New(strings.ReplaceAll(text, "\n", "; "))
	}
	return err
}
