package procfs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

func itoa(n int32) string { return strconv.Itoa(int(n)) }

const rootIno = 1

// newRoot returns /proc.
func (f *FileSystem) newRoot() *dirInode {
	entries := f.rootEntries()
	if f.opts.pidOnly {
		entries = slices.DeleteFunc(entries, func(e entry) bool { return e.name != "self" && e.name != "thread-self" })
	}
	return &dirInode{
		inode:  inode{fs: f, ino: rootIno, mode: dirRX},
		parent: rootIno,
		names:  &rootNames{f.newTable(nil, rootIno, entries), rootIno},
	}
}

// rootEntries is what /proc has beside processes.
func (f *FileSystem) rootEntries() []entry {
	text := func(name string, t func(o *opening) ([]byte, error)) entry {
		return entry{name: name, mode: regular | 0o444, text: t}
	}
	goTo := func(name, target string) entry {
		return entry{name: name, mode: link, readlink: func(*vfs.Caller, *proc) (string, error) { return target, nil }}
	}
	return []entry{
		text("buddyinfo", buddyText),
		text("cgroups", cgroupsText),
		text("cmdline", constant(f.options.CommandLine+"\n")),
		text("consoles", constant("")),
		text("cpuinfo", cpuinfoText),
		text("devices", func(o *opening) ([]byte, error) { return o.fs.sys.VFS.DevicesText(), nil }),
		text("diskstats", constant("")),
		text("execdomains", constant("0-0\tLinux           \t[kernel]\n")),
		text("filesystems", func(o *opening) ([]byte, error) { return o.fs.sys.VFS.FileSystemsText(), nil }),
		text("interrupts", interruptsText),
		text("loadavg", loadText),
		text("locks", locksText),
		text("meminfo", meminfoText),
		text("modules", constant("")),
		goTo("mounts", "self/mounts"),
		goTo("net", "self/net"),
		text("partitions", constant("major minor  #blocks  name\n\n")),
		{name: "pressure", mode: dirRX, dir: func(f *FileSystem, _ *proc, ino uint64) names { return f.newTable(nil, ino, f.pressureEntries()) }},
		{name: "self", mode: link, readlink: f.readSelf},
		text("softirqs", softirqsText),
		text("stat", systemStatText),
		text("swaps", constant("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n")),
		{name: "sys", mode: dirRX, dir: newSysctlNames},
		{name: "sysvipc", mode: dirRX, dir: func(f *FileSystem, _ *proc, ino uint64) names {
			return f.newTable(nil, ino, f.sysvipcEntries())
		}},
		{name: "thread-self", mode: link, readlink: f.readThreadSelf},
		text("uptime", uptimeText),
		text("version", constant("Linux version "+linux.Release+" (cordon) "+linux.Version+"\n")),
		text("vmstat", vmstatText),
		text("zoneinfo", zoneText),
	}
}

// cpuInfo returns the first n processors of the host's /proc/cpuinfo, numbered
// as one package's cores. Without a model it gives what every processor has.
func cpuInfo(host []byte, n int) []byte {
	var blocks []string
	for b := range strings.SplitSeq(strings.TrimSpace(string(host)), "\n\n") {
		if strings.HasPrefix(b, "processor") {
			blocks = append(blocks, b)
		}
	}
	if len(blocks) == 0 {
		blocks = []string{"processor\t: 0\nvendor_id\t: unknown\nfpu\t\t: yes\nwp\t\t: yes\nclflush size\t: 64\ncache_alignment\t: 64\npower management:"}
	}
	var out []byte
	for i := range n {
		for l := range strings.Lines(blocks[min(i, len(blocks)-1)] + "\n") {
			key, _, ok := strings.Cut(l, ":")
			name := strings.TrimSpace(key)
			if v, ours := cpuField(name, i, n); ok && ours {
				l = fmt.Sprintf("%s: %d\n", key, v)
			}
			out = append(out, l...)
		}
		out = append(out, '\n')
	}
	return out
}

// cpuField is what the guest sees of a processor's place instead of the host's.
func cpuField(name string, i, n int) (int, bool) {
	switch name {
	case "processor", "core id", "apicid", "initial apicid":
		return i, true
	case "physical id":
		return 0, true
	case "siblings", "cpu cores":
		return n, true
	}
	return 0, false
}
