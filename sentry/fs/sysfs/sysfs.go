// Package sysfs is /sys: the part of it that programs in containers read, with
// this kernel's values.
//
// # Objects
//
// New builds the tree once, of textfs's directories and files; only the network
// devices are looked up anew each time.
//
// # Checkpoint
//
// Nothing is saved: the tree is built of the options again.
//
// # Differences
//
// What would describe hardware is absent: there is no block device, no bus but
// the CPUs', and no firmware.
package sysfs

import (
	"fmt"
	"strconv"

	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/fs/textfs"
	"cordon/sentry/vfs"
)

// Options are the values that the tree shows.
type Options struct {
	Device uint64
	Clock  vfs.Clock
	CPUs   int
	// MemoryTotal and MemoryFree are in bytes.
	MemoryTotal uint64
	MemoryFree  func() uint64
	// HugePages is what /sys/kernel/mm/transparent_hugepage/enabled says:
	// always, madvise or never.
	HugePages string
	// Net lists the network devices of the network namespace; nil: none.
	Net func() []NetDevice
	// SetNet takes what is written to a file below a device's directory; nil:
	// nothing can be.
	SetNet func(c *vfs.Caller, device, file, text string) error
}

// A NetDevice is one directory of /sys/class/net.
type NetDevice struct {
	Name    string
	Index   int
	Link    int    // the index of what it stands on or leads to, else its own
	Address string // aa:bb:cc:dd:ee:ff
	// Broadcast is the hardware broadcast address.
	Broadcast   string
	MTU         int
	QueueLength int
	Flags       uint32 // IFF_*
	Type        uint16 // ARPHRD_*
	Carrier     bool
	OperState   string
	Class       string // DEVTYPE of the device's events
	// Stats are the counters of /sys/class/net/*/statistics by name
	// (rx_bytes, tx_packets, ...).
	Stats map[string]uint64
	// Files, Groups and Links are what a device has beside what all have.
	Files  []NetText
	Groups []NetGroup
	Links  []NetLink
}

// A NetGroup is a directory below a device's.
type NetGroup struct {
	Name   string
	Files  []NetText
	Groups []NetGroup
	Links  []NetLink
}

// A NetText is a file.
type NetText struct {
	Name, Text string
	Mode       linux.FileMode
}

// A NetLink is a symbolic link.
type NetLink struct{ Name, Target string }

// New returns the file system, to be mounted as "sysfs".
func New(o Options) vfs.FileSystem {
	fs := textfs.New(textfs.Options{
		Type: "sysfs", Magic: linux.SYSFS_MAGIC, Device: o.Device, Clock: o.Clock, FileSize: linux.PageSize,
	})
	b := builder{fs: fs, o: &o}
	root := fs.NewDir(0o555)
	fs.SetRoot(root)
	for _, name := range []string{"block", "bus", "class", "dev", "devices", "firmware", "fs", "kernel", "module", "power"} {
		root.Sub(name, 0o555)
	}
	dir := func(path ...string) *textfs.Dir {
		d := root
		for _, p := range path {
			if i, err := d.Lookup(p); err == nil {
				d = i.(*textfs.Dir)
			} else {
				d = d.Sub(p, 0o555)
			}
		}
		return d
	}
	b.cpus(dir("devices", "system", "cpu"))
	b.node(dir("devices", "system", "node"))
	b.net(dir("class"), dir("devices", "virtual"))
	b.kernel(dir("kernel"))
	dir("fs", "cgroup")
	dir("bus", "cpu", "devices")
	dir("class", "block")
	dir("class", "tty")
	dir("dev", "block")
	dir("dev", "char")
	return fs
}

// A builder fills the tree.
type builder struct {
	fs *textfs.FS
	o  *Options
}

func (b *builder) text(d *textfs.Dir, name, text string) { d.Add(name, b.fs.NewText(text+"\n")) }

// list is a CPU list of the first n: "0" or "0-3".
func list(n int) string {
	if n <= 1 {
		return "0"
	}
	return "0-" + strconv.Itoa(n-1)
}

// mask is a CPU mask of the CPUs from first up to but not including end, in
// groups of 32 bits, n CPUs in all.
func mask(first, end, n int) string {
	groups := (n + 31) / 32
	s := ""
	for g := groups - 1; g >= 0; g-- {
		var bits uint32
		for c := first; c < end; c++ {
			if c/32 == g {
				bits |= 1 << (c % 32)
			}
		}
		if s != "" {
			s += ","
		}
		width := 8
		if g == groups-1 {
			width = (n - 32*g + 3) / 4
		}
		s += fmt.Sprintf("%0*x", width, bits)
	}
	return s
}

func (b *builder) cpus(d *textfs.Dir) {
	n := b.o.CPUs
	for _, name := range []string{"online", "possible", "present"} {
		b.text(d, name, list(n))
	}
	b.text(d, "offline", "")
	b.text(d, "isolated", "")
	b.text(d, "kernel_max", strconv.Itoa(n-1))
	d.Sub("smt", 0o555).Add("active", b.fs.NewText("0\n"))
	for i := range n {
		cpu := d.Sub("cpu"+strconv.Itoa(i), 0o555)
		if i > 0 {
			b.text(cpu, "online", "1")
		}
		t := cpu.Sub("topology", 0o555)
		b.text(t, "physical_package_id", "0")
		b.text(t, "die_id", "0")
		b.text(t, "core_id", strconv.Itoa(i))
		own, all := mask(i, i+1, n), mask(0, n, n)
		for _, k := range []struct{ name, mask, list string }{
			{"thread_siblings", own, strconv.Itoa(i)},
			{"core_cpus", own, strconv.Itoa(i)},
			{"core_siblings", all, list(n)},
			{"package_cpus", all, list(n)},
			{"die_cpus", all, list(n)},
		} {
			b.text(t, k.name, k.mask)
			b.text(t, k.name+"_list", k.list)
		}
	}
}

// node is the one NUMA node that all memory and all CPUs are of.
func (b *builder) node(d *textfs.Dir) {
	for _, name := range []string{"online", "possible", "has_cpu", "has_memory", "has_normal_memory"} {
		b.text(d, name, "0")
	}
	n := d.Sub("node0", 0o555)
	b.text(n, "cpulist", list(b.o.CPUs))
	b.text(n, "cpumap", mask(0, b.o.CPUs, b.o.CPUs))
	b.text(n, "distance", "10")
	for i := range b.o.CPUs {
		n.Add("cpu"+strconv.Itoa(i), b.fs.NewLinkTo("../../cpu/cpu"+strconv.Itoa(i)))
	}
	n.Add("meminfo", b.fs.NewFile(0o444, func(*cred.Credentials) ([]byte, error) {
		free := b.o.MemoryTotal
		if b.o.MemoryFree != nil {
			free = b.o.MemoryFree()
		}
		return fmt.Appendf(nil, "Node 0 MemTotal:       %8d kB\nNode 0 MemFree:        %8d kB\nNode 0 MemUsed:        %8d kB\n",
			b.o.MemoryTotal/1024, free/1024, (b.o.MemoryTotal-free)/1024), nil
	}))
}

func (b *builder) kernel(d *textfs.Dir) {
	thp := d.Sub("mm", 0o555).Sub("transparent_hugepage", 0o555)
	mode := b.o.HugePages
	if mode == "" {
		mode = "never"
	}
	s := ""
	for _, m := range []string{"always", "madvise", "never"} {
		if s != "" {
			s += " "
		}
		if m == mode {
			m = "[" + m + "]"
		}
		s += m
	}
	b.text(thp, "enabled", s)
	b.text(thp, "defrag", "always defer defer+madvise [madvise] never")
	b.text(thp, "shmem_enabled", "always within_size advise [never] deny force")
	b.text(thp, "hpage_pmd_size", strconv.Itoa(linux.HugePageSize))
	b.text(thp, "use_zero_page", "1")
	d.Sub("security", 0o555)
	d.Sub("debug", 0o700)
	d.Sub("tracing", 0o700)
	b.text(d, "profiling", "0")
	b.text(d, "uevent_seqnum", "0")
}
