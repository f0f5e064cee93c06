package clients

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// dockerRemapped is what containers of a daemon with userns-remap do: their root is a
// subordinate user of the host.
var dockerRemapped = []bothCase{
	{"root is root, of a root file system of its own", `$D bbox sh -c 'id -u; stat -c %u:%g / /bin/busybox /tmp; awk "{print \$1, \$2, \$3}" /proc/self/uid_map'`,
		"0\n0:0\n0:0\n0:0\n0 200000 65536", ""},
	{"users of the container make and own files", `$D bbox sh -c 'cd /tmp; touch a; chown 33:33 a; stat -c %u:%g a; chmod 777 .; touch b; chown 65535 b; stat -c %u b; chown 65536 b 2>&1 | grep -c nvalid'
$D -u 1000 bbox sh -c 'touch /tmp/c; stat -c %u:%g /tmp/c'`, "33:33\n65535\n1\n1000:1000", ""},
	{"a volume's owner on the host is subordinate", `mkdir $W/vol-$R; chown 200005:200006 $W/vol-$R; chmod 755 $W
$D -v $W/vol-$R:/v bbox sh -c 'stat -c %u:%g /v; touch /v/made; chown 7 /v/made'; stat -c %u:%g $W/vol-$R/made
$D -v /etc:/e:ro bbox stat -c %u:%g /e/passwd`, "5:6\n200007:200000\n65534:65534", ""},
	{"named volumes, exec and cp", `$C -v $R-v:/v bbox sh -c "$WAIT" >/dev/null; docker exec $N sh -c 'id -u; touch /v/x; stat -c %u /v/x'; docker exec -u 5 $N id -u
docker exec $N sh -c 'echo text > /tmp/f; chown 9 /tmp/f'; docker cp $N:/tmp/f $W/f-$R; cat $W/f-$R; docker rm -f $N >/dev/null; docker volume rm $R-v >/dev/null`, "0\n0\n5\ntext", ""},
	{"the host's user namespace, if asked for", `$D --userns=host bbox sh -c 'awk "{print \$1, \$2, \$3}" /proc/self/uid_map'`, "0 0 4294967295", ""},
	{"tmpfs, shm and a read-only root", `$D --read-only --tmpfs /t:uid=5 bbox sh -c 'stat -c %u /t; touch /dev/shm/x /t/x && echo made; touch /x 2>&1 | grep -c -i read-only'`, "5\nmade\n1", ""},
	{"commit and build", `$C bbox sh -c "touch /made; chown 12 /made; $WAIT" >/dev/null; sleep 1; docker commit $N $R-made >/dev/null; docker rm -f $N >/dev/null
docker run --rm --runtime $R $R-made stat -c %u /made; docker rmi $R-made >/dev/null`, "12", ""},
}

func TestDockerUserNamespaceRemap(t *testing.T) {
	w := newWorld(t)
	w.need("dockerd", "docker", "iptables", "docker-proxy")
	d := &dockerd{w, filepath.Join(w.dir, "docker.sock")}
	w.setenv("DOCKER_HOST", "unix://"+d.socket)
	w.setenv("DOCKER_BUILDKIT", "0")
	w.setenv("W", w.dir)
	// The world's /etc has subordinate ids for nobody, as whom containers' roots are to be.
	for _, file := range []string{"subuid", "subgid"} {
		path := filepath.Join(w.dir, file)
		w.write(path, "nobody:200000:65536\n")
		if r := w.run("mount", "--bind", path, "/etc/"+file); r.code != 0 {
			t.Skipf("/etc/%s cannot be covered: %s", file, r.stderr)
		}
		w.keeps("^/etc/" + file + "$")
	}
	// The way to the daemon's files is for the namespace's root too.
	for dir := w.dir; len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		if err := syscall.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	d.configure("runc", map[string]any{"userns-remap": "nobody:nogroup", "live-restore": false})
	d.begin()
	w.must("docker", "load", "-i", w.image())
	w.must("docker", "tag", imageName, "bbox")
	d.keeps("^/run/docker/netns")
	for _, c := range dockerRemapped {
		t.Run(c.name, func(t *testing.T) { d.on(t).both(c) })
	}
}
