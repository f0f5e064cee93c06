package clients

import (
	"fmt"
	"strings"
	"testing"
)

// podmanCases are scripts that say the same with runc and with runsc. In them, $P
// is podman with the runtime, $F are flags of a container and $N is a name.
var podmanCases = []bothCase{
	{name: "copies into and out of a running container", script: `
$P run -d --name $N $F $I sleep 100 >/dev/null; $P exec $N sh -c 'echo a >/f; mkdir /d; ln -s ../f /d/l'
$P cp $N:/f $W/f; cat $W/f; echo host >$W/h; $P cp $W/h $N:/h; $P exec $N cat /h; $P cp $N:/d - | tar -tf - | sort`, want: "a\nhost\nd\nd/l"},
	{name: "copies into and out of volumes of a running container", script: `
mkdir -p $W/b$N; $P run -d --name $N $F -v $W/b$N:/b -v $N:/v/below $I sleep 100 >/dev/null
echo host >$W/h; $P cp $W/h $N:/b/h; $P cp $W/h $N:/v/below/h; $P exec $N cat /b/h /v/below/h; cat $W/b$N/h
$P exec $N sh -c 'echo in >/v/below/in'; $P cp $N:/v/below/in - | tar -xOf -; $P rm -f -t 0 $N >/dev/null; $P volume rm $N`, want: "host\nhost\nhost\nin\n$N"},
	{name: "top and stats with limits", script: `
$P run -d --name $N $F -m 64m --pids-limit 100 $I sleep 100 >/dev/null
$P top $N | grep -c 'sleep 100'; $P stats --no-stream --format '{{.MemUsage}}' $N | grep -vc '^0B'; $P stats --no-stream --format '{{.MemUsage}}' $N | cut -d ' ' -f 3`, want: "1\n1\n67.11MB"},
	{name: "a pod shares network, host name and IPC", script: `
$P pod create --name p$N --infra-image $I --infra-command 'sleep 1000' --cgroup-parent $G >/dev/null
$P run -d --pod p$N --name $N $U $I sh -c 'while :; do echo hello | nc -l -p 80; done' >/dev/null; sleep 1
$P run --rm --pod p$N $U $I sh -c 'nc 127.0.0.1 80 </dev/null; hostname'
$P pod ps --format '{{.Name}} {{.Status}} {{.NumberOfContainers}}'
$P pod stop -t 1 p$N >/dev/null 2>&1; $P pod start p$N >/dev/null; $P exec $N echo in
echo text >$W/h; $P cp $W/h $N:/h; $P exec $N cat /h; $P pod rm -f -t 0 p$N >/dev/null`, want: "hello\np$N\np$N Running 2\nin\ntext"},
	{name: "a pod shares processes", script: `
$P pod create --name p$N --share pid,net,ipc,uts --infra-image $I --infra-command 'sleep 1000' --cgroup-parent $G >/dev/null
$P run -d --pod p$N $U $I sleep 77 >/dev/null; $P run --rm --pod p$N $U $I sh -c 'ps | grep -c "[s]leep"'; $P pod rm -f -t 0 p$N >/dev/null`, want: "2"},
	{name: "another's network outlives it", script: `
$P run -d --name $N $F $I sleep 1000 >/dev/null; $P run -d --name o$N --network container:$N --cgroup-parent $G $U $I sh -c 'while :; do echo hello | nc -l -p 80; done' >/dev/null; sleep 0.5
$P stop -t 0 $N >/dev/null; $P exec o$N nc 127.0.0.1 80 </dev/null; $P inspect -f '{{.State.Status}}' $N o$N; $P kill o$N >/dev/null; $P wait o$N; $P rm o$N >/dev/null`, want: "hello\nexited\nrunning\n137"},
	{name: "health checks", script: `
$P run -d --name $N $F --health-cmd 'test -e /tmp/ok' --health-interval disable $I sleep 100 >/dev/null
$P healthcheck run $N; echo $?; $P exec $N touch /tmp/ok; $P healthcheck run $N; echo $?`, want: "unhealthy\n1\n0"},
	{name: "secrets", script: `
echo text | $P secret create $N - >/dev/null; $P run --rm $F --secret $N $I cat /run/secrets/$N; $P secret rm $N >/dev/null`, want: "text"},
	{name: "a root directory with a layer above", script: `
$P run --rm $F --rootfs $W/rootfs:O sh -c 'touch /made && echo made'; test -e $W/rootfs/made || echo below`, want: "made\nbelow"},
	{name: "restart, pause and exit codes", script: `
$P run -d --name $N $F $I sleep 100 >/dev/null; $P restart -t 0 $N >/dev/null; $P pause $N >/dev/null; $P unpause $N >/dev/null; $P exec $N sh -c 'exit 4'; echo $?
$P kill -s TERM $N >/dev/null; $P stop -t 1 $N >/dev/null; $P wait $N`, want: "4\n137"},
	{name: "commit and export", script: `
$P run --name $N $F $I sh -c 'echo text >/new'; $P commit -q $N img$N >/dev/null; $P run --rm $F img$N cat /new; $P export $N | tar -xOf - new; $P rm $N >/dev/null; $P rmi -f img$N >/dev/null`, want: "text\ntext"},
	{name: "a file for Kubernetes is written and played", script: `
$P pod create --name p$N --infra-image $I --infra-command 'sleep 1000' --cgroup-parent $G >/dev/null
$P run -d --pod p$N --name $N $U $I sleep 99 >/dev/null; $P generate kube p$N >$W/k.yaml; $P pod rm -f -t 0 p$N >/dev/null; grep -c '^kind: Pod' $W/k.yaml`, want: "1"},
}

func TestPodmanAsWithRunc(t *testing.T) {
	p := newPodman(t)
	p.need("runc")
	p.rootfs()
	for _, c := range podmanCases {
		t.Run(c.name, func(t *testing.T) {
			w := *p.world
			w.T = t
			mine := &podman{&w}
			for _, runtime := range []string{"runc", "runsc"} {
				name := runtime + "-c"
				want := strings.ReplaceAll(c.want, "$N", name)
				if got := mine.scripted(runtime, name, c.script); got != want {
					mine.Errorf("with %s it says\n%s\nnot\n%s", runtime, clip(got), want)
				}
				mine.must(mine.args("pod", "rm", "-a", "-f", "-t", "0")...)
				mine.must(mine.args("rm", "-a", "-f", "-t", "0")...)
			}
		})
	}
}

// scripted runs a script with a runtime and returns what it says.
func (p *podman) scripted(runtime, name, script string) string {
	p.Helper()
	args := p.args()
	if runtime != "runsc" {
		args[len(args)-1] = runtime
	}
	// A caller without CAP_SYS_RESOURCE cannot have the limits that Podman wants.
	limits := "--ulimit nofile=4096:4096 --ulimit nproc=4096:4096"
	head := fmt.Sprintf("N=%s; W=%s; I=%s; G=/%s; U='%s'; F=\"--cgroup-parent $G --network none $U\"; P='%s'\nexport CONTAINERS_CONF=$W/containers.conf\n",
		name, p.dir, imageName, p.name, limits, strings.Join(args, " "))
	p.write(p.dir+"/containers.conf", "[containers]\ndefault_ulimits = [\"nofile=4096:4096\",\"nproc=4096:4096\"]\n")
	r, err := p.try(scriptTimeout, "", "bash", "-c", head+"exec 2>&1\n"+script)
	if err != nil {
		p.Fatal(err)
	}
	return strings.TrimSpace(r.stdout + r.stderr)
}
