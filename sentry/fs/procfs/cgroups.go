package procfs

import "fmt"

// cgroupsText lists the controllers (cgroups(7), /proc/cgroups): all are of the
// version 2 hierarchy, whose number is 0.
func cgroupsText(o *opening) ([]byte, error) {
	n := len(o.fs.sys.Cgroups.Root().Descendants())
	b := []byte("#subsys_name\thierarchy\tnum_cgroups\tenabled\n")
	for _, name := range [...]string{"cpu", "memory", "pids"} {
		b = fmt.Appendf(b, "%s\t0\t%d\t1\n", name, n)
	}
	return b, nil
}
