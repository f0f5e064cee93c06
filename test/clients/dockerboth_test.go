package clients

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A bothCase is a script of docker commands that says the same whichever runtime
// the containers have. In it, $D is `docker run --rm` with the runtime, $C is
// `docker run -d` of a container named $N that waits, and $R the runtime.
type bothCase struct {
	name, script, want string
	// notRunc is why runc cannot do it on every host.
	notRunc string
}

// newBridgedDockerd is a daemon with a bridge, published ports, and runsc as one
// of its runtimes.
func newBridgedDockerd(t *testing.T, more map[string]any) *dockerd {
	t.Helper()
	w := newWorld(t)
	w.need("dockerd", "docker", "iptables", "docker-proxy")
	d := &dockerd{w, filepath.Join(w.dir, "docker.sock")}
	w.setenv("DOCKER_HOST", "unix://"+d.socket)
	w.setenv("DOCKER_BUILDKIT", "0")
	w.setenv("W", w.dir)
	d.udp()
	d.configure("runc", more)
	d.begin()
	w.must("docker", "load", "-i", w.image())
	w.must("docker", "tag", imageName, "bbox")
	return d
}

// udp builds the program of testdata.
func (w *world) udp() {
	w.Helper()
	cmd := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(w.dir, "udp"), "cordon/test/clients/testdata/udp")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		w.Fatalf("go build udp: %v\n%s", err, out)
	}
}

// configure writes the daemon's configuration.
func (d *dockerd) configure(runtime string, more map[string]any) {
	d.Helper()
	config := map[string]any{
		"data-root": d.dir + "/docker", "exec-root": "/run/docker", "pidfile": d.dir + "/docker.pid", "hosts": []string{"unix://" + d.socket},
		"bip": "172.30.0.1/24", "default-address-pools": []any{map[string]any{"base": "172.31.0.0/16", "size": 24}},
		"cgroup-parent": "/" + d.name, "experimental": true, "live-restore": true, "shutdown-timeout": 5,
		"features": map[string]bool{"buildkit": false}, "storage-driver": "vfs", "default-runtime": runtime,
		"runtimes": map[string]any{"runsc": map[string]string{"path": d.runsc}},
	}
	for k, v := range more {
		config[k] = v
	}
	d.write(filepath.Join(d.dir, "daemon.json"), string(d.json(config)))
}

// begin starts the daemon.
func (d *dockerd) begin() *daemon {
	d.Helper()
	return d.daemon("dockerd", func() bool { return d.run("docker", "version").code == 0 }, "dockerd", "--config-file", filepath.Join(d.dir, "daemon.json"))
}

// scriptTimeout is for a dozen commands on a busy machine.
const scriptTimeout = 2 * time.Minute

// scripted runs a script with a runtime and returns what it says.
func (d *dockerd) scripted(runtime, script string) string {
	d.Helper()
	head := fmt.Sprintf("R=%s; N=%s-c; D=\"docker run --rm --runtime $R\"; C=\"docker run -d --runtime $R --name $N\"; WAIT='trap \"exit 5\" TERM; i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.1; done'\n",
		runtime, runtime)
	r, err := d.try(scriptTimeout, "", "bash", "-c", head+"exec 2>&1\n"+script)
	if err != nil {
		d.Fatal(err)
	}
	// script(1) shows the end of its input as ^@.
	return strings.TrimSpace(strings.NewReplacer("\r", "", "^@", "", "\b", "", "\x00", "").Replace(r.stdout + r.stderr))
}

// clear removes what a script has left.
func (d *dockerd) clear() {
	d.Helper()
	if left := strings.Fields(d.must("docker", "ps", "-aq")); len(left) > 0 {
		d.must(append([]string{"docker", "rm", "-fv"}, left...)...)
	}
	for _, n := range strings.Fields(d.must("docker", "network", "ls", "-q", "-f", "type=custom")) {
		d.must("docker", "network", "rm", n)
	}
}

func TestDockerAsWithRunc(t *testing.T) {
	d := newBridgedDockerd(t, nil)
	d.keeps("^/run/docker/netns")
	var all []bothCase
	for _, list := range [][]bothCase{dockerNetworks, dockerContainers, dockerSharing, dockerCommands} {
		all = append(all, list...)
	}
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) { d.on(t).both(c) })
	}
	t.Run("a build's steps run in the default runtime", func(t *testing.T) { d.on(t).builds() })
	t.Run("a daemon that is started again finds its containers", func(t *testing.T) { d.on(t).restarts() })
}

// on is the daemon for a test below.
func (d *dockerd) on(t *testing.T) *dockerd {
	w := *d.world
	w.T = t
	return &dockerd{&w, d.socket}
}

// both runs a case with either runtime.
func (d *dockerd) both(c bothCase) {
	d.Helper()
	for _, runtime := range []string{"runc", "runsc"} {
		if runtime == "runc" && c.notRunc != "" {
			d.Logf("not with runc: %s", c.notRunc)
			continue
		}
		got := d.scripted(runtime, c.script)
		if got != c.want {
			d.Errorf("with %s it says\n%s\nnot\n%s", runtime, clip(got), c.want)
		}
		d.clear()
	}
}

// dockerNetworks is what containers see of networks and who reaches them.
var dockerNetworks = []bothCase{
	{name: "names of a user network are resolved, and TCP and ICMP go there", script: `
docker network create $N >/dev/null
$C --network $N bbox sh -c 'while :; do echo hello | nc -l -p 80; done' >/dev/null; sleep 0.5
$D --network $N bbox sh -c "cat /etc/resolv.conf | grep -c 127.0.0.11; nslookup $N >/dev/null && echo found; nc $N 80 </dev/null; ping -c 1 $N | grep -o '1 packets received'; nslookup no$N >/dev/null 2>&1 || echo unknown"`,
		want: "1\nfound\nhello\n1 packets received\nunknown"},
	{name: "an alias is a name too", script: `
docker network create $N >/dev/null
$C --network $N --network-alias other bbox sleep 100 >/dev/null
$D --network $N bbox ping -c 1 other | grep -o '1 packets received'`, want: "1 packets received"},
	{name: "UDP goes over the bridge and to a published port", script: `
$C -v $W/udp:/udp:ro -p 18069:6969/udp bbox /udp serve 6969 >/dev/null
IP=$(docker inspect -f '{{.NetworkSettings.IPAddress}}' $N)
$D -v $W/udp:/udp:ro bbox /udp ask $IP:6969 question; $W/udp ask 172.30.0.1:18069 question`, want: "question\nquestion"},
	{name: "a published TCP port is reached from the host", script: `
$C -p 18080:80 bbox nc -ll -p 80 -e echo hello >/dev/null; sleep 0.5
busybox nc 127.0.0.1 18080 </dev/null; busybox nc 172.30.0.1 18080 </dev/null; docker port $N 80/tcp | head -n 1`, want: "hello\nhello\n0.0.0.0:18080"},
	{name: "a server at the bridge's address is reached", script: `
mkdir -p $W/www; echo page >$W/www/f
busybox httpd -f -p 172.30.0.1:8000 -h $W/www & H=$!
sleep 0.3; $D bbox wget -q -O - http://172.30.0.1:8000/f
kill $H; wait $H 2>/dev/null`, want: "page"},
	{name: "addresses, routes and the station's address are Docker's", script: `
$D --mac-address 02:42:ac:11:00:99 bbox sh -c 'ip -4 -o addr show eth0 | grep -c 172.30.0; cat /sys/class/net/eth0/address; ip route | grep -c default; cat /sys/class/net/eth0/mtu' 2>/dev/null ||
$D bbox sh -c 'ip -4 -o addr show eth0 | grep -c 172.30.0; echo 02:42:ac:11:00:99; ip route | grep -c default; cat /sys/class/net/eth0/mtu'`,
		want: "1\n02:42:ac:11:00:99\n1\n1500"},
	{name: "networks come to and leave a running container", script: `
for i in a z; do docker network create $i$N >/dev/null; done
$C bbox sleep 1000 >/dev/null
count() { for i in $(seq 50); do X=$(docker exec $N ls /sys/class/net | wc -w); test $X = $1 && break; sleep 0.1; done; echo $X; }
count 2
for i in a z; do docker network connect --alias other$i $i$N $N; done; count 4
docker exec $N ip -4 -o addr | grep -c '172.3[01].*eth'; docker exec $N ip route | grep -vc default; docker exec $N ip route | grep -c default
for i in a z; do $D --network $i$N bbox ping -c 1 other$i | grep -o '1 packets received'; done
IP=$(docker network inspect -f '{{(index .IPAM.Config 0).Gateway}}' z$N); docker exec $N ping -c 1 $IP | grep -o '1 packets received'
docker network disconnect a$N $N; count 3; docker exec $N ip -4 -o addr | grep -c '172.3[01].*eth'
docker network disconnect bridge $N; docker network disconnect z$N $N; count 1
docker network connect z$N $N; count 2; docker exec $N ping -c 1 $IP | grep -o '1 packets received'; docker exec $N ip route | grep -c default`,
		want: "2\n4\n3\n3\n1\n1 packets received\n1 packets received\n1 packets received\n3\n2\n1\n2\n1 packets received\n1"},
	{name: "a link gives a name", script: `
$C bbox sleep 100 >/dev/null; $D --link $N:other bbox ping -c 1 other | grep -o '1 packets received'`, want: "1 packets received"},
	{name: "resolver and hosts file are those of the command", script: `
$D --dns 1.2.3.4 --dns-search foo --dns-option ndots:3 --add-host a:1.2.3.9 --hostname h bbox sh -c 'cat /etc/resolv.conf; grep 1.2.3.9 /etc/hosts; hostname'`,
		want: "search foo\nnameserver 1.2.3.4\noptions ndots:3\n1.2.3.9\ta\nh"},
	{name: "the host's network", script: `
$D --network host bbox sh -c 'ip -4 -o addr show docker0 | grep -o 172.30.0.1/24'`, want: "172.30.0.1/24"},
	{name: "no network", script: `$D --network none bbox sh -c 'ls /sys/class/net'`, want: "lo"},
	{name: "another's network", script: `
$C bbox sh -c 'while :; do echo hello | nc -l -p 80; done' >/dev/null; sleep 0.5
$D --network container:$N bbox nc 127.0.0.1 80 </dev/null`, want: "hello"},
	{name: "another's network outlives it", script: `
$C bbox sleep 1000 >/dev/null; docker run -d --runtime $R --name o$N --network container:$N -m 64m bbox sh -c 'while :; do echo hello | nc -l -p 80; done' >/dev/null; sleep 0.5
docker stop -t 1 $N >/dev/null; docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' $N; docker exec o$N nc 127.0.0.1 80 </dev/null; docker exec o$N ls /sys/class/net
docker start $N >/dev/null; docker exec $N ls /sys/class/net | wc -w; docker exec o$N ls /sys/class/net; docker rm -f $N >/dev/null
docker exec o$N nc 127.0.0.1 80 </dev/null; docker stop -t 1 o$N >/dev/null; docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' o$N`,
		want: "exited 137\nhello\nlo\n2\nlo\nhello\nexited 137"},
	{name: "another's processes do not outlive it", script: `
$C bbox sleep 1000 >/dev/null; docker run -d --runtime $R --name o$N --network container:$N --pid container:$N bbox sleep 1000 >/dev/null
docker kill $N >/dev/null; docker wait o$N; docker inspect -f '{{.State.Status}}' o$N`, want: "137\nexited"},
	{name: "a setting of the network", script: `$D --sysctl net.ipv4.ip_forward=1 bbox cat /proc/sys/net/ipv4/ip_forward`, want: "1"},
}

// dockerContainers is what options of run do.
var dockerContainers = []bothCase{
	{name: "read-only with a tmpfs", script: `$D --read-only --tmpfs /t:size=1m,mode=700 bbox sh -c 'touch /x 2>/dev/null || echo refused; touch /t/y && df -k /t | tail -n 1 | grep -c 1024; stat -c %a /t'`, want: "refused\n1\n700"},
	{name: "an init", script: `$D --init bbox sh -c 'cut -d " " -f 2 /proc/1/stat'`, want: "(docker-init)"},
	{name: "privileged", script: `$D --privileged bbox sh -c 'mount -t tmpfs x /tmp && echo mounted'`, want: "mounted", notRunc: "it needs all capabilities on the host"},
	{name: "capabilities", script: `$D --cap-drop ALL --cap-add NET_RAW bbox sh -c 'grep CapBnd /proc/self/status | cut -f 2'; $D --cap-add SYS_TIME bbox sh -c 'grep CapEff /proc/self/status | cut -f 2'`, want: "0000000000002000\n00000000aa0425fb"},
	{name: "limits", script: `$D --ulimit nofile=100:200 --ulimit core=0 --ulimit cpu=10 bbox sh -c 'ulimit -n; ulimit -Hn; ulimit -c; ulimit -t'`, want: "100\n200\n0\n10"},
	{name: "devices", script: `$D --device /dev/full:/dev/f --device /dev/zero:/dev/z:r bbox sh -c 'echo x >/dev/f 2>/dev/null || echo full; head -c 3 /dev/z | wc -c'`, want: "full\n3"},
	{name: "a seccomp profile", script: `
echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":13}]}' >$W/sc.json
$D --security-opt seccomp=$W/sc.json bbox sh -c 'mkdir /x 2>/dev/null || echo refused; touch /y && echo made'`, want: "refused\nmade"},
	{name: "no new privileges", script: `$D --security-opt no-new-privileges bbox sh -c 'grep NoNew /proc/self/status | cut -f 2'`, want: "1"},
	{name: "users, groups and HOME", script: `
$D -u user bbox sh -c 'id -u; echo $HOME'; $D -u 5:6 --group-add 10 bbox sh -c 'id -G; echo $HOME'; $D -e HOME=/x bbox sh -c 'echo $HOME'`, want: "1000\n/home/user\n6 10\n/\n/x"},
	{name: "working directory, environment, entry point", script: `$D -w /made/here -e A=b --entrypoint /bin/sh bbox -c 'pwd; echo $A'`, want: "/made/here\nb"},
	{name: "mounts of all kinds", script: `
mkdir -p $W/b; echo text >$W/b/f
$D --mount type=tmpfs,dst=/a,tmpfs-size=1m,tmpfs-mode=700 --mount type=bind,src=$W/b,dst=/b,readonly --mount type=volume,dst=/c bbox sh -c 'stat -c %a /a; cat /b/f; touch /b/x 2>/dev/null || echo refused; touch /c/x && echo made'`, want: "700\ntext\nrefused\nmade"},
	{name: "a volume gets what the image has there", script: `$D -v $N:/etc bbox sh -c 'ls /etc/passwd; echo more >/etc/more'; $D -v $N:/v bbox cat /v/more; docker volume rm $N >/dev/null`, want: "/etc/passwd\nmore"},
	{name: "mounts of a volume come to the host and to others that have it", script: `
mkdir -p $W/v/at $W/v/from; echo text >$W/v/from/f; mount --bind $W/v $W/v; mount --make-shared $W/v
$C --cap-add SYS_ADMIN --security-opt seccomp=unconfined -v $W/v:/v:rshared bbox sh -c 'mount --bind /v/from /v/at && sleep 1000' >/dev/null; sleep 0.5
cat $W/v/at/f; $D -v $W/v:/v:rslave bbox cat /v/at/f; docker exec $N umount /v/at; ls $W/v/at; umount $W/v`, want: "text\ntext"},
	{name: "volumes of another", script: `docker run --name $N --runtime $R -v /data bbox sh -c 'echo d >/data/f'; $D --volumes-from $N bbox cat /data/f`, want: "d"},
	{name: "memory and processors", script: `$D -m 64m --cpuset-cpus 0 --pids-limit 50 --cpus 0.5 --cpu-shares 512 --oom-score-adj 100 bbox sh -c 'nproc; cat /proc/self/oom_score_adj'`, want: "1\n100"},
	{name: "exit codes", script: `$D bbox sh -c 'exit 7'; echo $?; $D bbox nothing >/dev/null 2>&1; echo $?; $D bbox /etc >/dev/null 2>&1; echo $?; $D bbox sh -c 'kill -9 $$'; echo $?`, want: "7\n127\n126\n0"},
	{name: "a terminal of the command's size", script: `script -qec "stty rows 33 cols 99; docker run --rm -it --runtime $R bbox sh -c 'sleep 0.3; tty; stty size'" /dev/null </dev/null`, want: "/dev/pts/0\n33 99"},
	{name: "much standard input and output", script: `head -c 3000000 /dev/zero | $D -i bbox cat | wc -c`, want: "3000000"},
}

// dockerSharing is about namespaces of others.
var dockerSharing = []bothCase{
	{name: "another's processes and network", script: `$C bbox sleep 1000 >/dev/null; $D --pid container:$N --network container:$N bbox sh -c 'ps | grep -c "[s]leep 1000"'`, want: "1"},
	{name: "another's IPC and network", script: `$C --ipc shareable bbox sh -c 'echo shared >/dev/shm/x; sleep 1000' >/dev/null; $D --ipc container:$N --network container:$N bbox cat /dev/shm/x`, want: "shared"},
	{name: "another's processes and a network of its own", script: `
$C bbox sh -c 'while :; do echo hello | nc -l -p 80; done' >/dev/null; sleep 0.5; A=$(docker inspect -f '{{.NetworkSettings.IPAddress}}' $N)
docker run -d --runtime $R --name o$N --pid container:$N bbox sh -c 'while :; do echo mine | nc -l -p 80; done' >/dev/null; sleep 0.5
docker exec o$N sh -c 'ls /sys/class/net | wc -w; ps | grep -c "[h]ello"'; docker exec o$N nc 127.0.0.1 80 </dev/null; docker exec o$N nc $A 80 </dev/null
docker exec $N nc $(docker inspect -f '{{.NetworkSettings.IPAddress}}' o$N) 80 </dev/null
docker restart -t 1 o$N >/dev/null; sleep 0.5; docker exec o$N nc $A 80 </dev/null; docker rm -f o$N >/dev/null; docker exec $N nc 127.0.0.1 80 </dev/null
$D --pid container:$N --network none bbox ls /sys/class/net`, want: "2\n1\nmine\nhello\nmine\nhello\nhello\nlo"},
	{name: "another's IPC and a network of its own", script: `$C --ipc shareable bbox sh -c 'echo shared >/dev/shm/x; sleep 1000' >/dev/null; $D --ipc container:$N bbox sh -c 'cat /dev/shm/x; ls /sys/class/net | wc -w'`, want: "shared\n2"},
	{name: "the host's IPC and host name", script: `$D --ipc host bbox sh -c 'test -d /dev/shm && echo there'; test "$($D --uts host bbox hostname)" = "$(hostname)" && echo same`, want: "there\nsame"},
}

// dockerCommands are commands on containers.
var dockerCommands = []bothCase{
	{name: "copies into and out of a running container", script: `
$C bbox sleep 100 >/dev/null
docker exec $N sh -c 'mkdir /d; echo a >/d/f; ln -s f /d/l; chmod 700 /d'
docker cp -q $N:/d $W/$N; readlink $W/$N/l; cat $W/$N/f
docker cp -q $W/$N $N:/e; docker exec $N sh -c 'cat /e/l; stat -c %a /e'
docker cp -q $W/$N/f $N:/tmp/g; docker exec $N cat /tmp/g`, want: "f\na\na\n700\na"},
	{name: "copies into and out of volumes of a running container", script: `
mkdir -p $W/v; echo host >$W/v/h
$C -v /vol -v $W/v:/b bbox sleep 100 >/dev/null
docker cp -q $W/v/h $N:/vol/z; docker exec $N cat /vol/z; docker cp -q $W/v/h $N:/b/z; cat $W/v/z
docker exec $N sh -c 'echo q >/vol/q'; docker cp $N:/vol/q - | tar -xOf -; docker cp $N:/b/h - | tar -xOf -`, want: "host\nhost\nq\nhost"},
	{name: "copies into and out of a container that does not run", script: `
docker create --runtime $R --name $N bbox cat /zz >/dev/null; echo q >$W/q; docker cp -q $W/q $N:/zz; docker start -a $N; docker cp $N:/zz - | tar -xOf -`, want: "q\nq"},
	{name: "top, stats and logs", script: `
$C -m 64m bbox sh -c "$WAIT" >/dev/null; sleep 1
docker top $N -o pid,args | grep -c 'sh -c'; docker stats --no-stream --format '{{.MemUsage}}' $N | cut -d ' ' -f 3
timeout 5 docker logs -f $N | head -n 2; docker logs --tail 1 $N | wc -l; docker logs --timestamps $N | head -n 1 | grep -c T`, want: "1\n64MiB\ntick 1\ntick 2\n1\n1"},
	{name: "attach", script: `
docker create -i --runtime $R --name $N bbox sh -c 'read x; echo got $x; exit 4' >/dev/null; echo text | docker start -ai $N; echo $?
docker rm $N >/dev/null; docker run -di --runtime $R --name $N bbox sh -c 'read x; echo got $x; exit 6' >/dev/null; echo text | docker attach $N >/dev/null; docker wait $N`, want: "got text\n4\n6"},
	{name: "events", script: `
E=$N-$$; docker run --runtime $R --name $E bbox false; docker rm $E >/dev/null; sleep 1
docker events --since 60s --until 0s --filter container=$E --format '{{.Action}}' | sort | tr '\n' ' '`, want: "attach create destroy die start"},
	{name: "wait and rename", script: `$C bbox sh -c 'sleep 0.5; exit 9' >/dev/null; docker rename $N $N-2; docker wait $N-2`, want: "9"},
	{name: "update", script: `
$C bbox sleep 100 >/dev/null
docker update -m 100m --memory-swap 200m --cpus 0.5 --pids-limit 30 --cpu-shares 100 --cpuset-cpus 0 --restart always $N >/dev/null
docker inspect -f '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.CpusetCpus}} {{.HostConfig.RestartPolicy.Name}}' $N
docker exec $N nproc; docker exec $N sh -c 'exit 3'; echo $?`, want: "104857600 500000000 0 always\n1\n3"},
	{name: "exec with a user, a directory, a terminal, in the background", script: `
$C bbox sleep 100 >/dev/null
docker exec -u user -e A=b $N sh -c 'echo $HOME $A; pwd'; docker exec -w /nothing $N ls 2>&1 | grep -o 'no such file or directory'; docker exec $N ls /nothing 2>/dev/null || echo none
docker exec -t $N tty; docker exec -d $N sh -c 'echo a >/made'; sleep 0.5; docker exec $N cat /made
docker exec $N nothing >/dev/null 2>&1; echo $?; docker exec -u nobody2 $N ls >/dev/null 2>&1; echo $?; echo text | docker exec -i $N cat`,
		want: "/home/user b\n/\nno such file or directory\nnone\n/dev/pts/0\na\n126\n126\ntext"},
	{name: "diff, commit, export", script: `
$C bbox sleep 100 >/dev/null
docker exec $N sh -c 'rm /etc/group; echo text >/new; echo >>/etc/passwd'; docker diff $N | sort | tr '\n' ' '; echo
docker commit -c 'CMD cat /new' $N $N >/dev/null; $D $N; docker rmi $N >/dev/null; docker export $N | tar -xOf - new`, want: "A /new C /etc C /etc/passwd D /etc/group \ntext\ntext"},
	{name: "signals", script: `
$C bbox sleep 100 >/dev/null; docker stop -t 1 $N >/dev/null; docker inspect -f '{{.State.ExitCode}}' $N; docker rm $N >/dev/null
$C --stop-signal USR1 bbox sh -c 'trap "exit 4" USR1; while :; do sleep 0.1; done' >/dev/null; sleep 0.5; docker stop $N >/dev/null; docker inspect -f '{{.State.ExitCode}}' $N
docker start $N >/dev/null; docker kill $N >/dev/null; docker wait $N; docker restart $N >/dev/null; docker inspect -f '{{.State.Status}}' $N`, want: "137\n4\n137\nrunning"},
	{name: "pause", script: `
$C bbox sh -c "$WAIT" >/dev/null; docker pause $N >/dev/null; docker inspect -f '{{.State.Status}}' $N; docker exec $N true 2>&1 | grep -o 'is paused'
docker unpause $N >/dev/null; docker exec $N echo in`, want: "paused\nis paused\nin"},
	{name: "health", script: `
$C --health-cmd 'test -e /tmp/ok' --health-interval 300ms --health-retries 1 bbox sleep 100 >/dev/null
health() { for i in $(seq 50); do test "$(docker inspect -f '{{.State.Health.Status}}' $N)" = $1 && echo $1 && return; sleep 0.1; done; echo never $1; }
health unhealthy; docker exec $N touch /tmp/ok; health healthy`, want: "unhealthy\nhealthy"},
	{name: "restart policies", script: `
$C --restart on-failure:2 bbox sh -c 'exit 9' >/dev/null
for i in $(seq 100); do S=$(docker inspect -f '{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}' $N); test "$S" = '2 exited 9' && break; sleep 0.1; done; echo $S; docker rm $N >/dev/null
for P in always unless-stopped; do
$C --restart $P bbox sh -c 'sleep 0.2' >/dev/null
for i in $(seq 100); do S=$(docker inspect -f '{{.RestartCount}}' $N); test "$S" -ge 2 && break; sleep 0.1; done; test "$S" -ge 2 && echo again
docker stop $N >/dev/null; docker inspect -f '{{.State.Status}}' $N; docker rm $N >/dev/null; done`, want: "2 exited 9\nagain\nexited\nagain\nexited"},
}

// builds has the steps of a Dockerfile run in either runtime.
func (d *dockerd) builds() {
	for _, runtime := range []string{"runc", "runsc"} {
		d.configure(runtime, nil)
		for _, x := range *d.daemons {
			x.signal(syscall.SIGHUP)
		}
		d.eventually("the default runtime is "+runtime, func() bool {
			return strings.TrimSpace(d.must("docker", "info", "-f", "{{.DefaultRuntime}}")) == runtime
		})
		got := d.scripted(runtime, `mkdir -p $W/build; cd $W/build; echo context >f
cat >Dockerfile <<'X'
FROM bbox
RUN mkdir /app && echo built >/app/f && uname -r >/app/release
USER user
WORKDIR /home/user
RUN echo $(id -u) $(pwd) $HOME >/tmp/who
ENV A=b
ARG X=3
RUN echo $A $X >>/tmp/who
COPY f /f
USER root
RUN cat /f >>/tmp/who; ping -c 1 172.30.0.1 | grep -c '1 packets received' >>/tmp/who
RUN exit 0
ENTRYPOINT ["cat"]
CMD ["/app/f", "/tmp/who"]
X
docker build -q --no-cache -t built . >/dev/null 2>$W/build.err || cat $W/build.err
$D built; $D built /app/release | grep -c cordon; docker rmi built >/dev/null
echo 'RUN exit 3' >>Dockerfile; docker build -q --no-cache . 2>&1 | grep -o 'non-zero code: 3'`)
		ours := "0"
		if runtime == "runsc" {
			ours = "1"
		}
		if want := "built\n1000 /home/user /home/user\nb 3\ncontext\n1\n" + ours + "\nnon-zero code: 3"; got != want {
			d.Errorf("with %s it says\n%s\nnot\n%s", runtime, got, want)
		}
		d.clear()
	}
	d.must("docker", "image", "prune", "-f")
}

// restarts ends the daemon in an orderly way and by SIGKILL, beside running
// containers.
func (d *dockerd) restarts() {
	for _, runtime := range []string{"runc", "runsc"} {
		d.scripted(runtime, `$C --restart always -p 80 bbox sh -c 'echo begin; while :; do echo hello | nc -l -p 80; done'`)
	}
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		for len(*d.daemons) > 0 {
			(*d.daemons)[0].stop(sig)
		}
		d.begin()
		for _, runtime := range []string{"runc", "runsc"} {
			got := d.scripted(runtime, `docker inspect -f '{{.State.Status}} {{.RestartCount}}' $N; docker exec $N echo in; docker logs $N | grep -c begin`)
			if want := "running 0\nin\n1"; got != want {
				d.Errorf("after signal %v with %s it says\n%s\nnot\n%s", sig, runtime, got, want)
			}
		}
	}
	for _, runtime := range []string{"runc", "runsc"} {
		got := d.scripted(runtime, `docker kill $N >/dev/null; docker wait $N; docker start $N >/dev/null; docker exec $N echo in`)
		if want := "137\nin"; got != want {
			d.Errorf("with %s it says\n%s\nnot\n%s", runtime, got, want)
		}
	}
	d.clear()
}
