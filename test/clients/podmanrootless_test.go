package clients

import (
	"fmt"
	"strings"
	"testing"
)

// ordinaryUser is who runs Podman without privileges in a world of the tests.
const ordinaryUser = "poduser"

// rootlessSetup makes the user in the world: its account and subordinate ids, over
// the host's files, and a device for the user's network that it may open.
const rootlessSetup = `set -e
cd $W; chmod 711 .; mkdir -p home bin; cp -r "$RUNTIME" bin/runsc
for f in passwd group subuid subgid; do cp /etc/$f $f 2>/dev/null || :; done
echo "$NAME:x:4242:4242::$W/home:/bin/sh" >>passwd; echo "$NAME:x:4242:" >>group
echo "$NAME:300000:65536" | tee -a subuid >>subgid
for f in passwd group subuid subgid; do touch /etc/$f; mount --bind $f /etc/$f; done
if [ -c /dev/net/tun ]; then mknod tun c 10 200; chmod 666 tun; mount --bind tun /dev/net/tun; fi
mkdir -p /run/user/4242; chmod 755 /run /run/user; chown -R 4242:4242 /run/user/4242 home rootfs
tar -C rootfs -cf image.tar .; chmod 644 image.tar
`

// rootlessCases are scripts of the ordinary user: $P is podman with the runtime.
var rootlessCases = []bothCase{
	{name: "run", script: `
$P run --rm --network none $I sh -c 'id -u; echo text >/new; cat /new; exit 5'; echo $?
$P run --rm --network none -u 33:34 -v $HOME:/mnt:ro $I sh -c 'id -u; id -g; touch /mnt/x 2>/dev/null || echo read-only'`,
		want: "0\ntext\n5\n33\n34\nread-only"},
	{name: "a root directory", script: `$P run --rm --network none --rootfs $W/rootfs sh -c 'id -u; ls -d /bin'`, want: "0\n/bin"},
	{name: "exec, logs, stop and remove", script: `
$P run -d --name c --network none $I sh -c 'echo begun; exec sleep 1000' >/dev/null
$P exec c sh -c 'cat /proc/1/cmdline | tr "\0" " "; exit 3'; echo $?; $P exec -u 33 c id -u; $P logs c; $P ps --format '{{.Names}}'
$P stop -t 0 c >/dev/null; $P inspect -f '{{.State.ExitCode}}' c; $P rm c >/dev/null; $P ps -aq`, want: "sleep 1000 3\n33\nbegun\nc\n137"},
	{name: "a network of the user's", script: `
$P run --rm $I sh -c 'ip -o -4 addr show tap0 | grep -o "10\.0\.2\.100/24"; ip route | grep -c default'`, want: "10.0.2.100/24\n1"},
	{name: "a pod", script: `
$P pod create --name p --infra-image $I --infra-command 'sleep 1000' >/dev/null
$P run -d --pod p --name a $I sh -c 'while :; do echo hello | nc -l -p 8080; done' >/dev/null; sleep 1
$P run --rm --pod p $I sh -c 'nc 127.0.0.1 8080 </dev/null; hostname'
$P pod ps --format '{{.Name}} {{.NumberOfContainers}}'; $P pod rm -f -t 0 p >/dev/null; $P ps -aq`, want: "hello\np\np 2"},
}

// Podman of an ordinary user says the same with runc and with runsc.
func TestPodmanRootless(t *testing.T) {
	w := newWorld(t)
	w.need("podman", "conmon", "runc", "newuidmap", "slirp4netns", "setpriv")
	w.rootfs()
	w.setenv("W", w.dir)
	w.setenv("RUNTIME", w.runsc)
	w.setenv("NAME", ordinaryUser)
	if r, err := w.try(scriptTimeout, "", "sh", "-c", rootlessSetup); err != nil || r.code != 0 {
		t.Fatalf("making an ordinary user: %v, %v", r, err)
	}
	w.before = w.mounts()
	for _, runtime := range []string{"runc", w.dir + "/bin/runsc"} {
		if r := w.asUser(runtime, "podman unshare true && $P import -q $W/image.tar $I"); r.code != 0 {
			t.Skipf("Podman does not work for an ordinary user here: %v", r)
		}
		for _, c := range rootlessCases {
			t.Run(c.name+" in "+runtime[strings.LastIndex(runtime, "/")+1:], func(t *testing.T) {
				r := w.asUser(runtime, c.script)
				if got := strings.TrimSpace(r.stdout); got != c.want {
					t.Errorf("it says\n%s\nnot\n%s\n%s", clip(got), c.want, clip(r.stderr))
				}
				w.asUser(runtime, "$P pod rm -a -f -t 0; $P rm -a -f -t 0")
			})
		}
	}
	// The process that keeps the user's namespaces.
	w.asUser("runc", "pkill -U 4242 'podman|catatonit'")
}

// asUser runs a script as the ordinary user, with podman on a runtime.
func (w *world) asUser(runtime, script string) result {
	w.Helper()
	head := fmt.Sprintf("export HOME=$W/home USER=%s LOGNAME=%[1]s XDG_RUNTIME_DIR=/run/user/4242; cd $HOME; I=localhost/test\n"+
		"P='podman --log-level error --storage-driver vfs --events-backend file --cgroup-manager cgroupfs --runtime %s'\n", ordinaryUser, runtime)
	r, err := w.try(scriptTimeout, "", "env", "-u", "CONTAINERS_CONF", "setpriv", "--reuid=4242", "--regid=4242", "--clear-groups", "--",
		"sh", "-c", head+script)
	if err != nil {
		w.Fatal(err)
	}
	return r
}
