package task

import (
	"reflect"
	"testing"

	"cordon/checkpoint"
)

func TestImageCoversState(t *testing.T) {
	const (
		lockField, closure = "a lock", "made anew"
		parts, empty       = "supplied at a restore", "nobody waits while all are frozen"
		idle               = "of no use while the task is frozen"
	)
	for _, err := range []error{
		checkpoint.CheckCovered[System, SystemImage](map[string]string{
			"Futexes": "waiters ask again", "Calls": parts, "Traced": "the new sandbox's", "Random": parts, "NewNet": parts, "NewIPC": parts, "Sockets": parts,
			"Turn": parts, "Epoll": "instances count themselves", "Inotify": "instances count themselves", "tree": lockField,
			"groups": "found by their members", "idTables": "PIDs; inner is found by the namespaces", "sessions": "found by their groups", "freezing": "the saver's own", "allGone": closure,
			"live": "counted by StartRestored", "holds": "containers that joined are refused", "over": "a system without tasks is refused", "workers": "made when tasks start; nobody sleeps aside", "late": "empty while all are frozen", "spare": "Go's, not the system's", "frozen": "the saver's own", "frozenMu": lockField, "frozenCond": closure,
			"cpuAlarms": "timers set theirs again", "load": "LoadAt and LoadAvg",
			"Reserve": parts, "Lookout": parts, "Reclaim": parts, "OnOOM": parts, "reclaimed": idle, "maxTasks": "follows from MemoryLimit", "watch": "begins anew", "kernel": "begins anew",
		}),
		checkpoint.CheckCovered[Task, TaskImage](map[string]string{
			"cpuClock": closure, "inGuest": idle, "sleeps": idle, "switched": idle, "call": "follows from InSyscall", "wake": closure, "bell": idle, "looksOut": idle, "notified": "set by its listener",
			"signalQ": empty, "stopSeq": "counted as it parks again", "stopTaken": "acted on before a freeze, or in Trace", "tracees": "whose Trace says so", "ctx": "a new one with FPU", "rester": "ctx", "relay": "ctx", "pause": "ends before a freeze", "waking": idle, "after": "nobody waits for a worker", "facts": "published again", "quick": idle, "unmeasured": idle, "caller": "filled by each call",
			"buffers": "of one call", "args": "of one call", "timer": idle, "refused": "of a few milliseconds", "taken": "of a few calls",
			"ownLimits": "the group has them", "parked": idle, "waitsTurn": idle, "wantsMemory": idle, "into": "of a task that is being made", "runState": "running, or waiting for a vfork that is pending", "frozenIn": idle, "frozenFPU": "FPU",
		}),
		checkpoint.CheckCovered[ThreadGroup, GroupImage](map[string]string{
			"cpuClock": closure, "userClock": closure, "counted": "follows from Tasks and Gone", "lead": "Leader", "childEvents": empty, "exitEvents": "epoll entries are added again", "taken": "forgotten within seconds", "settlement": "the host counts anew",
			"mu": lockField, "stopSeq": "counted as tasks park again", "execing": "a checkpoint waits for the exec",
			"dumping": "a core file ends in an exit, which a checkpoint waits for", "halted": "likewise",
		}),
		checkpoint.CheckCovered[tracing, TraceImage](map[string]string{
			"held": "of a request", "fetch": "asked again", "fpuSet": "FPU is there", "ended": "follows from Stop",
		}),
		checkpoint.CheckCovered[stopState, StopImage](map[string]string{"parked": "counted as tasks park again"}),
		checkpoint.CheckCovered[posixTimer, PosixTimerImage](map[string]string{"group": "the image's owner"}),
		checkpoint.CheckCovered[ProcessGroup, ProcessGroupImage](nil),
		checkpoint.CheckCovered[PIDNamespace, PIDNamespaceImage](map[string]string{"level": "counted", "zapper": "a checkpoint waits for the exit"}),
		checkpoint.CheckCovered[Container, ContainerImage](map[string]string{"frozen": "the saver's own", "freezing": "a paused container is let go on by a restore"}),
		checkpoint.CheckCovered[Session, SessionImage](nil),
		checkpoint.CheckCovered[FSContext, FSContextImage](map[string]string{"mu": lockField, "places": "Root, Cwd and Umask"}),
		checkpoint.CheckCovered[Namespaces, NamespacesImage](nil),
		checkpoint.CheckCovered[CgroupNamespace, CgroupNamespaceImage](nil),
		checkpoint.CheckCovered[TimeNamespace, TimeNamespaceImage](map[string]string{"mu": lockField}),
		checkpoint.CheckCovered[UTSNamespace, UTSImage](map[string]string{"mu": lockField}),
		checkpoint.CheckCovered[PidFD, PidFDImage](nil),
		checkpoint.CheckCovered[Filter, FilterImage](map[string]string{"insns": "from the list", "filters": "from the list", "cache": "made again"}),
		checkpoint.CheckCovered[Listener, ListenerImage](map[string]string{"users": "count themselves", "mu": "a lock", "queue": "nobody waits"}),
		checkpoint.CheckCovered[notification, NotificationImage](map[string]string{"listener": "whose image has it"}),
		checkpoint.CheckCovered[ioTarget, TargetImage](nil),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	for _, im := range []any{SystemImage{}, TaskImage{}, GroupImage{}, ProcessGroupImage{}, SessionImage{}, FSContextImage{}, TargetImage{}} {
		if err := checkpoint.CheckPlain(reflect.TypeOf(im)); err != nil {
			t.Error(err)
		}
	}
}
