package procfs

import (
	"slices"

	"cordon/internal/linux"
)

const (
	regular = linux.S_IFREG
	link    = linux.S_IFLNK | 0o777
	dirRX   = linux.S_IFDIR | 0o555
)

// threadEntries is what /proc/pid/task/tid has, and /proc/pid too, in the
// order of fs/proc/base.c.
func (sh *shared) threadEntries() []entry {
	return []entry{
		{name: "fd", mode: linux.S_IFDIR | 0o500, dir: newFDNames, may: mayFD},
		{name: "fdinfo", mode: dirRX, dir: newFDInfoNames, may: mayFDInfo},
		{name: "ns", mode: linux.S_IFDIR | 0o511, dir: newNSNames},
		{name: "net", mode: dirRX, dir: newNetNames},
		{name: "environ", mode: regular | 0o400, open: openMM, file: newEnviron},
		{name: "auxv", mode: regular | 0o400, open: openMM, text: auxvText},
		{name: "status", mode: regular | 0o444, text: statusText},
		{name: "personality", mode: regular | 0o400, text: personalityText},
		{name: "limits", mode: regular | 0o444, text: limitsText},
		{name: "sched", mode: regular | 0o644, text: schedText},
		{name: "comm", mode: regular | 0o644, file: byWriter(commText, writeComm)},
		{name: "syscall", mode: regular | 0o400, text: syscallText},
		{name: "cmdline", mode: regular | 0o444, text: cmdlineText},
		{name: "stat", mode: regular | 0o444, text: statText},
		{name: "statm", mode: regular | 0o444, text: statmText},
		{name: "maps", mode: regular | 0o444, open: openMM, text: mapsText},
		{name: "numa_maps", mode: regular | 0o444, open: openMM, text: numaMapsText},
		{name: "mem", mode: regular | 0o600, open: openMM, file: newMemFile},
		{name: "cwd", mode: link, readlink: readCwd, follow: followCwd},
		{name: "root", mode: link, readlink: readRoot, follow: followRoot},
		{name: "exe", mode: link, readlink: readExe, follow: followExe},
		{name: "mounts", mode: regular | 0o444, file: mountsFile(mountNS.MountsText)},
		{name: "mountinfo", mode: regular | 0o444, file: mountsFile(mountNS.MountInfoText)},
		{name: "clear_refs", mode: regular | 0o200, open: mayLook, write: writeClearRefs},
		{name: "smaps", mode: regular | 0o444, open: openMM, text: smapsText},
		{name: "smaps_rollup", mode: regular | 0o444, open: openMM, text: smapsRollupText},
		{name: "pagemap", mode: regular | 0o400, open: openMM, file: newPagemap},
		{name: "wchan", mode: regular | 0o444, text: constant("0")},
		{name: "schedstat", mode: regular | 0o444, text: schedstatText},
		{name: "cgroup", mode: regular | 0o444, text: cgroupText},
		{name: "oom_score", mode: regular | 0o444, text: oomScoreText},
		{name: "oom_adj", mode: regular | 0o644, text: oomAdjText, write: writeOOMAdj},
		{name: "oom_score_adj", mode: regular | 0o644, text: oomScoreAdjText, write: writeOOMScoreAdj},
		{name: "uid_map", mode: regular | 0o644, text: uidKind.text, write: uidKind.write, atStart: true},
		{name: "gid_map", mode: regular | 0o644, text: gidKind.text, write: gidKind.write, atStart: true},
		{name: "projid_map", mode: regular | 0o644, text: projidMapText, write: refuseMap, atStart: true},
		{name: "setgroups", mode: regular | 0o644, open: maySetgroups, text: setgroupsText, write: writeSetgroups, atStart: true},
		{name: "children", mode: regular | 0o444, text: childrenText},
	}
}

// processEntries is what /proc/pid has.
func (sh *shared) processEntries() []entry {
	own := []entry{
		{name: "task", mode: dirRX, dir: newTaskNames},
		{name: "mountstats", mode: regular | 0o400, file: mountsFile(mountNS.MountStatsText)},
		{name: "coredump_filter", mode: regular | 0o644, text: coredumpText, write: writeCoredump},
		{name: "timens_offsets", mode: regular | 0o644, file: byWriter(timensText, writeTimens)},
		{name: "timerslack_ns", mode: regular | 0o666, file: byWriter(timerSlackText, writeTimerSlack)},
	}
	all := slices.DeleteFunc(sh.threadEntries(), func(e entry) bool { return e.name == "children" })
	return append(own, all...)
}

// constant is an entry's text that never changes, of a task that is there.
func constant(s string) func(*opening) ([]byte, error) {
	return func(o *opening) ([]byte, error) {
		if o.p != nil && o.p.task() == nil {
			return nil, linux.ESRCH
		}
		return []byte(s), nil
	}
}
