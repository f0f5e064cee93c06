package mm

import (
	"strconv"

	"cordon/internal/linux"
)

// mapsPathColumn is where the path begins in a line of maps.
const mapsPathColumn = 73

// AppendMaps appends /proc/pid/maps.
func (m *MemoryManager) AppendMaps(b []byte) []byte {
	for _, v := range m.Snapshot() {
		b = v.appendLine(b)
	}
	return b
}

func appendHex(b []byte, v uint64, width int) []byte {
	var tmp [16]byte
	s := strconv.AppendUint(tmp[:0], v, 16)
	for i := len(s); i < width; i++ {
		b = append(b, '0')
	}
	return append(b, s...)
}

func (v *VMAInfo) appendLine(b []byte) []byte {
	start := len(b)
	b = appendHex(b, v.Start, 8)
	b = append(b, '-')
	b = appendHex(b, v.End, 8)
	b = append(b, ' ', letter(v.Prot&linux.PROT_READ != 0, 'r'), letter(v.Prot&linux.PROT_WRITE != 0, 'w'), letter(v.Prot&linux.PROT_EXEC != 0, 'x'))
	if v.Shared {
		b = append(b, "s "...)
	} else {
		b = append(b, "p "...)
	}
	b = appendHex(b, v.Offset, 8)
	b = append(b, ' ')
	b = appendHex(b, v.Dev>>8&0xfff|v.Dev>>32&^0xfff, 2)
	b = append(b, ':')
	b = appendHex(b, v.Dev&0xff|v.Dev>>12&0xffffff00, 2)
	b = append(b, ' ')
	b = strconv.AppendUint(b, v.Inode, 10)
	b = append(b, ' ')
	if v.Path != "" {
		for len(b)-start < mapsPathColumn {
			b = append(b, ' ')
		}
		b = appendPath(b, v.Path)
		if v.Deleted {
			b = append(b, " (deleted)"...)
		}
	}
	return append(b, '\n')
}

// appendPath writes a path as Linux's seq_file_path does with "\n".
func appendPath(b []byte, path string) []byte {
	for i := range len(path) {
		if c := path[i]; c == '\n' {
			b = append(b, `\012`...)
		} else {
			b = append(b, c)
		}
	}
	return b
}

func letter(on bool, c byte) byte {
	if on {
		return c
	}
	return '-'
}

// appendKB writes a line of smaps or status: a name, and kibibytes in a column
// of width.
func appendKB(b []byte, name string, bytes uint64, column, width int) []byte {
	start := len(b)
	b = append(b, name...)
	b = append(b, ':')
	for len(b)-start < column {
		b = append(b, ' ')
	}
	var tmp [20]byte
	s := strconv.AppendUint(tmp[:0], bytes>>10, 10)
	for i := len(s); i < width; i++ {
		b = append(b, ' ')
	}
	b = append(b, s...)
	return append(b, " kB\n"...)
}

// AppendSmaps appends /proc/pid/smaps.
func (m *MemoryManager) AppendSmaps(b []byte) []byte {
	infos, counts := m.SnapshotPages()
	for i := range infos {
		v := &infos[i]
		b = v.appendLine(b)
		b = appendKB(b, "Size", v.End-v.Start, 16, 8)
		b = appendKB(b, "KernelPageSize", pageSize, 16, 8)
		b = appendKB(b, "MMUPageSize", pageSize, 16, 8)
		b = counts[i].append(b)
		b = append(b, "THPeligible:           0\nVmFlags:"...)
		b = v.appendFlags(b)
		b = append(b, '\n')
	}
	return b
}

// AppendSmapsRollup appends /proc/pid/smaps_rollup.
func (m *MemoryManager) AppendSmapsRollup(b []byte) []byte {
	infos, counts := m.SnapshotPages()
	if len(infos) == 0 {
		return b
	}
	var sum PageCounts
	for _, c := range counts {
		sum.add(c)
	}
	line := VMAInfo{Start: infos[0].Start, End: infos[len(infos)-1].End, Path: "[rollup]"}
	b = sum.append(line.appendLine(b))
	for _, l := range []struct {
		name string
		n    uint64
	}{{"Pss_Anon", sum.Anonymous - sum.Cow/2}, {"Pss_File", sum.File / 2}, {"Pss_Shmem", sum.Shmem / 2}} {
		b = appendKB(b, l.name, l.n, 16, 8)
	}
	return b
}

func (p *PageCounts) append(b []byte) []byte {
	shared := p.Shmem + p.File + p.Cow
	for _, l := range []struct {
		name string
		n    uint64
	}{
		{"Rss", p.RSS()}, {"Pss", p.PSS()}, {"Pss_Dirty", p.Anonymous - p.Cow/2 + p.Shmem/2},
		{"Shared_Clean", p.File}, {"Shared_Dirty", shared - p.File},
		{"Private_Clean", 0}, {"Private_Dirty", p.Anonymous - p.Cow},
		{"Referenced", p.RSS()}, {"Anonymous", p.Anonymous}, {"KSM", 0}, {"LazyFree", 0},
		{"AnonHugePages", 0}, {"ShmemPmdMapped", 0}, {"FilePmdMapped", 0},
		{"Shared_Hugetlb", 0}, {"Private_Hugetlb", 0}, {"Swap", 0}, {"SwapPss", 0}, {"Locked", p.Locked},
	} {
		b = appendKB(b, l.name, l.n, 16, 8)
	}
	return b
}

func (v *VMAInfo) appendFlags(b []byte) []byte {
	for _, f := range []struct {
		on   bool
		name string
	}{
		{v.Prot&linux.PROT_READ != 0, "rd"}, {v.Prot&linux.PROT_WRITE != 0, "wr"}, {v.Prot&linux.PROT_EXEC != 0, "ex"},
		{v.Shared, "sh"}, {v.Max&linux.PROT_READ != 0, "mr"}, {v.Max&linux.PROT_WRITE != 0, "mw"}, {v.Max&linux.PROT_EXEC != 0, "me"},
		{v.Shared && v.Max&linux.PROT_WRITE != 0, "ms"}, {v.GrowsDown, "gd"}, {v.Locked, "lo"}, {v.Sequence, "sr"}, {v.Random, "rr"},
		{v.DontFork, "dc"}, {!v.Shared && v.Prot&linux.PROT_WRITE != 0 && !v.NoReserve, "ac"}, {v.NoReserve, "nr"},
		{v.WipeFork, "wf"}, {v.DontDump, "dd"}, {v.Huge, "hg"}, {v.NoHuge, "nh"}, {v.Mergeable, "mg"},
	} {
		if f.on {
			b = append(b, ' ')
			b = append(b, f.name...)
		}
	}
	return append(b, ' ')
}

// AppendStatm appends /proc/pid/statm.
func (m *MemoryManager) AppendStatm(b []byte) []byte {
	s := m.Sizes()
	for i, n := range []uint64{s.Size, s.Pages.RSS(), s.Pages.File + s.Pages.Shmem, s.Exec, 0, s.Data + s.Stack, 0} {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendUint(b, n/pageSize, 10)
	}
	return append(b, '\n')
}

// AppendStatus appends the Vm lines of /proc/pid/status.
func (m *MemoryManager) AppendStatus(b []byte) []byte {
	s := m.Sizes()
	for _, l := range []struct {
		name string
		n    uint64
	}{
		{"VmPeak", s.Peak}, {"VmSize", s.Size}, {"VmLck", s.Locked}, {"VmPin", 0}, {"VmHWM", s.HighWater}, {"VmRSS", s.Pages.RSS()},
		{"RssAnon", s.Pages.Anonymous}, {"RssFile", s.Pages.File}, {"RssShmem", s.Pages.Shmem},
		{"VmData", s.Data}, {"VmStk", s.Stack}, {"VmExe", s.Exec}, {"VmLib", s.Lib}, {"VmPTE", s.PageTables}, {"VmSwap", 0},
	} {
		b = append(b, l.name...)
		b = append(b, ":\t"...)
		var tmp [20]byte
		d := strconv.AppendUint(tmp[:0], l.n>>10, 10)
		for i := len(d); i < 8; i++ {
			b = append(b, ' ')
		}
		b = append(b, d...)
		b = append(b, " kB\n"...)
	}
	return b
}

// AppendNumaMaps appends /proc/pid/numa_maps, of a machine with one node.
func (m *MemoryManager) AppendNumaMaps(b []byte) []byte {
	infos, counts := m.SnapshotPages()
	for i := range infos {
		v, c := &infos[i], &counts[i]
		b = appendHex(b, v.Start, 8)
		b = append(b, " default"...)
		switch {
		case v.Path == "[heap]":
			b = append(b, " heap"...)
		case v.Path == "[stack]":
			b = append(b, " stack"...)
		case v.Path != "" && v.Path[0] == '/':
			b = append(b, " file="...)
			b = appendPath(b, v.Path)
		}
		pages := c.RSS() / pageSize
		if pages == 0 {
			b = append(b, '\n')
			continue
		}
		if c.Anonymous != 0 {
			b = appendCount(b, " anon=", c.Anonymous/pageSize)
			b = appendCount(b, " dirty=", c.Anonymous/pageSize)
		}
		if n := (c.File + c.Shmem) / pageSize; n != 0 {
			b = appendCount(b, " mapped=", n)
		}
		b = appendCount(b, " N0=", pages)
		b = append(b, " kernelpagesize_kB=4\n"...)
	}
	return b
}

func appendCount(b []byte, name string, n uint64) []byte {
	return strconv.AppendUint(append(b, name...), n, 10)
}
