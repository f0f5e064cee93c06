package limits

import (
	"os/exec"
	"testing"
)

// mountTree has a script see the control groups at /tmp/cg with all controllers
// on for what it makes there, itself in a group of its own.
const mountTree = `mkdir -p /tmp/cg; mount -t cgroup2 none /tmp/cg; cd /tmp/cg; mkdir own; echo $$ >own/cgroup.procs
echo +memory +pids +cpu +cpuset >cgroup.subtree_control || exit 1
into() { (echo 0 >$1/cgroup.procs; shift; exec "$@"); }
`

func TestTreeOfGroups(t *testing.T) {
	g := newGuest(t)
	g.expect("", mountTree+`cat cgroup.controllers; mkdir a a/b; cat /proc/self/cgroup; ls a | tr '\n' ' '; echo
cat a/b/cgroup.controllers; echo +pids >a/cgroup.subtree_control; cat a/b/cgroup.controllers
echo -pids >cgroup.subtree_control || echo busy; rmdir a 2>/dev/null || echo not empty
sleep 60 & echo $! >a/b/cgroup.procs; cat /proc/$!/cgroup; cat a/cgroup.events; rmdir a/b 2>/dev/null || echo in use
echo $! >a/cgroup.procs 2>/dev/null || echo inner; echo 1 >a/cgroup.kill; wait $!; echo killed $?; cat a/cgroup.events; rmdir a/b a; echo gone $?
mkdir d; echo 1 >d/cgroup.max.descendants; mkdir d/e; mkdir d/f 2>/dev/null || echo too many; echo 1000 >memory.max || echo not ours
stat -f -c %t .; grep cgroup2 /proc/mounts`,
		"cpuset cpu memory pids", "0::/own", ".*cgroup.freeze .*cpu.max .*memory.max .*pids.max .*", "", "pids", "busy", "not empty",
		"0::/a/b", "populated 1", "in use", "inner", "killed 137", "populated 0", "gone 0", "too many", "not ours", "63677270", "none /tmp/cg cgroup2 .*nsdelegate.*")
}

func TestGroupsMemory(t *testing.T) {
	g := newGuest(t)
	g.expect("", mountTree+`mkdir a; echo 20M >a/memory.max; cat a/memory.max
into a take memory; echo status $?; cat a/memory.events; take memory 40; echo beside $?
echo 1 >a/memory.oom.group; into a sh -c 'sleep 60 & take memory; echo never'; echo status $?; tail -1 a/memory.events; cat a/cgroup.procs
dd if=/dev/zero of=/tmp/file bs=1M count=0 2>/dev/null; into a dd if=/dev/zero of=/tmp/charged bs=1M count=5 2>/dev/null; cat a/memory.current; grep '^shmem' a/memory.stat
rm /tmp/charged; cat a/memory.current
up=$(which take); size=$(stat -c %s $up); into a sh -c ': >>'$up; [ $(cat a/memory.current) -ge $size ] && echo copied up; rm $up; cat a/memory.current`,
		"20971520", "status 137", "max [1-9].*", "oom [1-9].*", "oom_kill 1", "memory", "beside 0", "status 137", "oom_group_kill 1",
		"5242880", "shmem 5242880", "0", "copied up", "0")
}

func TestGroupsTasks(t *testing.T) {
	g := newGuest(t)
	g.expect("", mountTree+`mkdir a; echo 5 >a/pids.max; into a take forks 20; cat a/pids.events a/pids.peak a/pids.current; take forks 20`,
		"forks 4 Resource temporarily unavailable", "max 1", "5", "0", "forks 20 Success")
}

func TestGroupsProcessor(t *testing.T) {
	g := newGuest(t)
	// A tenth of a processor: of one second it is a tenth that counts, whatever
	// else the machine does.
	g.expect("", mountTree+`mkdir a; echo "10000 100000" >a/cpu.max; cat a/cpu.max; into a take processor 1
awk '/usage_usec/{print "used", ($2 < 400000)} /nr_throttled/{print "throttled", ($2 > 3)}' a/cpu.stat; echo max >a/cpu.max; cat a/cpu.max`,
		"10000 100000", "used 1", "throttled 1", "max 100000")
}

func TestGroupsFreeze(t *testing.T) {
	g := newGuest(t)
	g.expect("", mountTree+`mkdir a; into a sh -c 'while :; do echo >>/tmp/ticks; sleep 0.01; done' & sleep 0.3
echo 1 >a/cgroup.freeze; n=0; until grep -q 'frozen 1' a/cgroup.events || [ $n = 100 ]; do sleep 0.05; n=$((n+1)); done
cat a/cgroup.events; a=$(wc -l </tmp/ticks); sleep 0.3; b=$(wc -l </tmp/ticks); [ $a = $b ] && echo still
echo 0 >a/cgroup.freeze; n=0; while [ $(wc -l </tmp/ticks) = $b ] && [ $n != 100 ]; do sleep 0.05; n=$((n+1)); done
[ $(wc -l </tmp/ticks) != $b ] && echo moves; echo 1 >a/cgroup.freeze; echo 1 >a/cgroup.kill; wait $!; echo status $?`,
		"frozen 1", "still", "moves", "status 137")
}

func TestGroupsWeights(t *testing.T) {
	g := newGuest(t)
	// Each group would use all processors. Nine parts of ten are the first one's
	// due: it has more than the others, however busy the machine is.
	const compete = `compete() { end=$(($(date +%s)+2)); for i in 1 2 3 4; do for x in "$@"; do into $x take turns $end >>/tmp/$(echo $x | tr / -) & done; done; wait
for x in "$@"; do awk '{n += $1} END {print n}' /tmp/$(echo $x | tr / -); rm /tmp/$(echo $x | tr / -); done; }
`
	g.expect("", mountTree+compete+`mkdir a b; echo 900 >a/cpu.weight; compete a b | { read a; read b; echo "$a $b"; [ $a -gt $((3*b)) ] && echo more; }
echo 100 >a/cpu.weight; echo 900 >b/cpu.weight; compete a b | { read a; read b; echo "$a $b"; [ $b -gt $((3*a)) ] && echo turned; }
echo 1 >a/cpu.idle; echo 100 >b/cpu.weight; compete a b | { read a; read b; echo "$a $b"; [ $b -gt $((3*a)) ] && echo idle; }
echo 0 >a/cpu.idle; echo +cpu >b/cgroup.subtree_control; mkdir b/x b/y; echo 900 >b/x/cpu.weight
compete a b/x b/y | { read a; read x; read y; echo "$a $x $y"; [ $x -gt $((3*y)) ] && [ $a -gt $((2*y)) ] && [ $((x+y)) -lt $((2*a)) ] && echo levels; }
echo 100 >b/x/cpu.weight; compete a; echo alone`,
		"[0-9 ]+", "more", "[0-9 ]+", "turned", "[0-9 ]+", "idle", "[0-9 ]+", "levels", "[0-9]+", "alone")
}

func TestGroupsEvents(t *testing.T) {
	g := newGuest(t)
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("no python3")
	}
	// Each file tells of its own changes only, by inotify (to its directory's
	// watches too) and by POLLPRI.
	g.expect("", mountTree+`mkdir a; cat >/tmp/watch.py <<'E'
import ctypes, os, select, struct, time
c = ctypes.CDLL(None)
fd = c.inotify_init1(os.O_NONBLOCK)
names = {}
for n in ("a/cgroup.events", "a/memory.events", "a/pids.events"):
    names[c.inotify_add_watch(fd, n.encode(), 2)] = n
names[c.inotify_add_watch(fd, b"a", 2)] = "a"
pri = {n: open(n) for n in ("a/cgroup.events", "a/pids.events")}
poll = select.poll()
for n, f in pri.items():
    f.read()
    poll.register(f, select.POLLPRI)
def told(what):
    select.select([fd], [], [], 10)
    time.sleep(0.1)
    seen = set()
    try:
        b = os.read(fd, 65536)
        while b:
            wd, mask, cookie, n = struct.unpack("iIII", b[:16])
            seen.add(names[wd] + ("/" + b[16:16+n].rstrip(b"\0").decode() if n else ""))
            b = b[16+n:]
    except BlockingIOError:
        pass
    print(what, sorted(n for n in seen if n.endswith("events")), sorted(n for n, f in pri.items() if f.fileno() in dict(poll.poll(0))))
    for f in pri.values():
        f.seek(0); f.read()
pid = os.fork()
if pid == 0:
    time.sleep(100)
open("a/cgroup.procs", "w").write(str(pid)); told("in")
open("a/pids.max", "w").write("1")
open("a/cgroup.procs", "w").write("0")
try: os.fork()
except BlockingIOError: pass
open("own/cgroup.procs", "w").write("0"); told("refused")
open("a/cgroup.freeze", "w").write("1"); told("frozen")
open("a/cgroup.freeze", "w").write("0"); told("thawed")
open("a/cgroup.kill", "w").write("1"); told("killed")
E
python3 /tmp/watch.py`,
		`in \['a/cgroup.events'\] \['a/cgroup.events'\]`,
		`refused \['a/pids.events'\] \['a/pids.events'\]`, `frozen \['a/cgroup.events'\] \['a/cgroup.events'\]`,
		`thawed \['a/cgroup.events'\] \['a/cgroup.events'\]`, `killed \['a/cgroup.events'\] \['a/cgroup.events'\]`)
}

func TestGroupsPressure(t *testing.T) {
	g := newGuest(t)
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("no python3")
	}
	g.expect("", mountTree+`mkdir a b c d; cat a/cpu.pressure >/dev/null
total() { awk -F= -v l=$2 '$1 ~ "^" l {print $5}' $1; }
cat >/tmp/trigger.py <<'E'
import select
f, g = open("a/cpu.pressure", "r+b", buffering=0), open("d/cpu.pressure", "r+b", buffering=0)
for x in f, g:
    x.write(b"some 100000 1000000\0")
def refused(x, text):
    try: x.write(text); return "taken"
    except OSError as e: return e.strerror
print(refused(f, b"some 1 1"), refused(open("b/cpu.pressure", "r+b", buffering=0), b"some 2000 1000"))
p = select.poll()
p.register(f, select.POLLPRI); p.register(g, select.POLLPRI)
open("/tmp/ready", "w").close()
print("fired", [(fd == f.fileno(), e == select.POLLPRI) for fd, e in p.poll(30000)])
E
python3 /tmp/trigger.py & trigger=$!
until [ -e /tmp/ready ]; do sleep 0.1; done; for i in 1 2 3 4 5 6; do into a take processor 100 & done; wait $trigger; echo 1 >a/cgroup.kill; wait
[ $(total a/cpu.pressure some) -gt 100000 ] && [ $(total d/cpu.pressure some) = 0 ] && echo waited
[ $(total cpu.pressure some) -ge $(total a/cpu.pressure some) ] && [ $(total /proc/pressure/cpu some) -gt 100000 ] && echo all
echo "10000 100000" >b/cpu.max; into b take processor 2; [ $(total b/cpu.pressure full) -gt 300000 ] && echo throttled
echo 10M >c/memory.high; n=0; until [ $n = 20 ] || [ $(total c/memory.pressure full) -gt 0 ]; do into c take memory 60 >/dev/null; n=$((n+1)); done; [ $(total c/memory.pressure full) -gt 0 ] && [ $(total b/memory.pressure some) = 0 ] && echo high
grep -c 'full avg10=[0-9]*[.][0-9][0-9] avg60=.* avg300=.* total=[0-9]*$' /proc/pressure/io
echo 0 >a/cgroup.pressure; ls a | grep -c '[ymu]*[.]pressure'`,
		"Device or resource busy Invalid argument", `fired \[\(True, True\)\]`, "waited", "all", "throttled", "high", "1", "1")
}

func TestGroupsProcessors(t *testing.T) {
	g := newGuest(t)
	g.expect("", mountTree+`mkdir a; n=$(nproc); echo "$((n-1)),$((n-1))-$((n-1))" >a/cpuset.cpus; [ $(cat a/cpuset.cpus) = $((n-1)) ] && echo last
[ $(cat a/cpuset.cpus.effective) = $((n-1)) ] && into a sh -c 'nproc; grep -c "Cpus_allowed_list:.$(cat /tmp/cg/a/cpuset.cpus)$" /proc/self/status; taskset 1 nproc || echo none'
echo $n >a/cpuset.cpus || echo "no such"; end=$(($(date +%s)+2)); for i in 1 2 3 4; do into a take turns $end & done >/dev/null; wait
awk '/usage_usec/{print "one", ($2 < 2400000)}' a/cpu.stat; echo >a/cpuset.cpus; into a sh -c '[ $(nproc) = '$n' ] && echo all'
cat a/cpuset.mems.effective; echo 1 >a/cpuset.mems || echo "one node"; [ $(grep -c ^processor /proc/cpuinfo) = $n ] && echo same`,
		"last", "1", "1", "none|1", "no such", "one 1", "all", "0", "one node", "same")
}
