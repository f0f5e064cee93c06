package clients

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// A kubelet drives containerd by the CRI, as a node's agent does.
type kubelet struct {
	*containerd
	conn    *grpc.ClientConn
	runtime cri.RuntimeServiceClient
	handler string // of the runtime to use
	logs    string // directory of container logs
}

// criConfig has the CRI with our runtime in its two ways, and a network of
// its own (newKubelet). Root may not lower its OOM score on every host.
const criConfig = `version = 2
root = "%[1]s/root"
state = "/run/containerd"
oom_score = 0
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs", "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "%[2]s"
[debug]
  address = "%[1]s/debug.sock"
  level = "debug"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "%[3]s"
  restrict_oom_score_adj = true
  disable_apparmor = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "%[1]s/cni/bin"
    conf_dir = "%[1]s/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runsc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runsc]
      runtime_type = "io.containerd.runsc.v1"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.plain]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.plain.options]
        BinaryName = "%[4]s"
`

// cniPlugin connects a pod to a bridge of the world and maps ports of the host: the
// part of a network plugin that pods on one host need.
const cniPlugin = `#!/bin/sh
set -e
exec 2>>%[1]s/cni.log
exec 3<&0
dir=%[1]s/cni
n=$(printf '%%s' "$CNI_CONTAINERID" | cut -c1-8)
case $CNI_COMMAND in
ADD)
	exec 9>$dir/lock; flock 9
	last=$(cat $dir/last 2>/dev/null || echo 1); last=$((last + 1)); echo $last >$dir/last
	ip link show cb0 >/dev/null 2>&1 || { ip link add cb0 type bridge; ip addr add 10.99.0.1/24 dev cb0; ip link set cb0 up; }
	pid=$$
	ip link add v$n type veth peer name p$n
	nsenter --net="$CNI_NETNS" true
	touch /run/netns-$n; mount --bind "$CNI_NETNS" /run/netns-$n
	mkdir -p /run/netns; touch /run/netns/x$n; mount --bind "$CNI_NETNS" /run/netns/x$n
	ip link set p$n netns x$n name "$CNI_IFNAME"
	umount /run/netns/x$n /run/netns-$n; rm /run/netns/x$n /run/netns-$n
	ip link set v$n master cb0 up
	nsenter --net="$CNI_NETNS" ip link set lo up
	nsenter --net="$CNI_NETNS" ip addr add 10.99.0.$last/24 dev "$CNI_IFNAME"
	nsenter --net="$CNI_NETNS" ip link set "$CNI_IFNAME" up
	nsenter --net="$CNI_NETNS" ip route add default via 10.99.0.1
	echo $(sed -n 's/.*"[hH]ostPort":\([1-9][0-9]*\),"[cC]ontainerPort":\([0-9]*\).*/\1 \2/p' <&3) | while read from to && [ -n "$to" ]; do
		sysctl -qw net.ipv4.conf.all.route_localnet=1
		for c in PREROUTING OUTPUT; do
			iptables -t nat -A $c -p tcp -m addrtype --dst-type LOCAL --dport $from -m comment --comment $n -j DNAT --to 10.99.0.$last:$to
		done
		iptables -t nat -A POSTROUTING -s 127.0.0.0/8 -d 10.99.0.$last -m comment --comment $n -j MASQUERADE
	done
	mac=$(nsenter --net="$CNI_NETNS" ip -o link show "$CNI_IFNAME" | sed 's/.*ether \([^ ]*\).*/\1/')
	echo '{"cniVersion":"0.4.0","interfaces":[{"name":"'$CNI_IFNAME'","mac":"'$mac'","sandbox":"'$CNI_NETNS'"}],"ips":[{"version":"4","address":"10.99.0.'$last'/24","gateway":"10.99.0.1","interface":0}],"routes":[{"dst":"0.0.0.0/0"}]}'
	;;
DEL)
	ip link del v$n 2>/dev/null || true
	iptables-save -t nat 2>/dev/null | sed -n "s/^-A \(.*--comment $n .*\)/\1/p" | while read rule; do iptables -t nat -D $rule; done
	;;
VERSION)
	echo '{"cniVersion":"0.4.0","supportedVersions":["0.3.1","0.4.0"]}'
	;;
esac
`

// newKubelet starts a containerd (see newContainerd) with the CRI.
func newKubelet(t *testing.T, bin string) *kubelet {
	t.Helper()
	c := prepareContainerd(t, bin)
	k := &kubelet{containerd: c, handler: "runsc", logs: filepath.Join(c.dir, "logs")}
	for _, d := range []string{"cni/bin", "cni/net.d", "logs"} {
		if err := os.MkdirAll(filepath.Join(c.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c.write(filepath.Join(c.dir, "cni/bin/bridge"), fmt.Sprintf(cniPlugin, c.dir))
	if err := os.Chmod(filepath.Join(c.dir, "cni/bin/bridge"), 0o755); err != nil {
		t.Fatal(err)
	}
	c.write(filepath.Join(c.dir, "cni/bin/loopback"), "#!/bin/sh\n[ $CNI_COMMAND = ADD ] && nsenter --net=$CNI_NETNS ip link set lo up\necho '{\"cniVersion\":\"0.4.0\",\"supportedVersions\":[\"0.3.1\",\"0.4.0\",\"1.0.0\"]}'\n")
	if err := os.Chmod(filepath.Join(c.dir, "cni/bin/loopback"), 0o755); err != nil {
		t.Fatal(err)
	}
	c.write(filepath.Join(c.dir, "cni/net.d/10-bridge.conflist"), `{"cniVersion":"0.4.0","name":"clients","plugins":[{"type":"bridge","capabilities":{"portMappings":true}}]}`)
	c.write(c.config, fmt.Sprintf(criConfig, c.dir, c.address, pauseName, c.runsc))
	c.start()
	c.must(c.ctr, "--address", c.address, "--namespace", "k8s.io", "images", "import", c.image())
	k.dial()
	k.eventually("the CRI and its network are ready", func() bool {
		r, err := k.runtime.Status(k.context(), &cri.StatusRequest{})
		if err != nil {
			return false
		}
		for _, c := range r.Status.Conditions {
			// Others may warn, of the host's old cgroups for one.
			if !c.Status && (c.Type == cri.RuntimeReady || c.Type == cri.NetworkReady) {
				return false
			}
		}
		return true
	})
	return k
}

// dial connects; the connection outlives restarts of the daemon.
func (k *kubelet) dial() {
	k.Helper()
	conn, err := grpc.NewClient("unix://"+k.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		k.Fatal(err)
	}
	k.Cleanup(func() { conn.Close() })
	k.conn, k.runtime = conn, cri.NewRuntimeServiceClient(conn)
}

// context bounds one call.
func (k *kubelet) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	k.Cleanup(cancel)
	return ctx
}

// check fails the test with what everybody is doing when a call has failed.
func (k *kubelet) check(what string, err error) {
	k.Helper()
	if err != nil {
		k.dump(what)
		k.Fatalf("%s: %v", what, err)
	}
}

// A pod is a running sandbox.
type pod struct {
	*kubelet
	id     string
	config *cri.PodSandboxConfig
}

// pod runs a sandbox.
func (k *kubelet) pod(name string, change func(*cri.PodSandboxConfig)) *pod {
	k.Helper()
	config := &cri.PodSandboxConfig{
		Metadata:     &cri.PodSandboxMetadata{Name: name, Uid: k.name + name, Namespace: "default"},
		Hostname:     name,
		LogDirectory: filepath.Join(k.logs, k.handler, name),
		Linux:        &cri.LinuxPodSandboxConfig{CgroupParent: "/" + k.name, SecurityContext: &cri.LinuxSandboxSecurityContext{}},
	}
	if change != nil {
		change(config)
	}
	r, err := k.runtime.RunPodSandbox(k.context(), &cri.RunPodSandboxRequest{Config: config, RuntimeHandler: k.handler})
	k.check("RunPodSandbox", err)
	return &pod{kubelet: k, id: r.PodSandboxId, config: config}
}

// netns is the path of the pod's network namespace.
func (p *pod) netns() string {
	p.Helper()
	r, err := p.runtime.PodSandboxStatus(p.context(), &cri.PodSandboxStatusRequest{PodSandboxId: p.id, Verbose: true})
	p.check("PodSandboxStatus", err)
	var info struct {
		RuntimeSpec struct {
			Linux struct {
				Namespaces []struct{ Type, Path string }
			}
		}
	}
	if err := json.Unmarshal([]byte(r.Info["info"]), &info); err != nil {
		p.Fatal(err)
	}
	for _, ns := range info.RuntimeSpec.Linux.Namespaces {
		if ns.Type == "network" {
			return strings.TrimPrefix(ns.Path, "/var") // /var/run is a link that leads out of the world
		}
	}
	p.Fatal("the pod has no network namespace")
	return ""
}

// create makes a container of the pod.
func (p *pod) create(name string, change func(*cri.ContainerConfig), command ...string) string {
	p.Helper()
	config := &cri.ContainerConfig{
		Metadata: &cri.ContainerMetadata{Name: name},
		Image:    &cri.ImageSpec{Image: imageName},
		Command:  command,
		LogPath:  name + ".log",
		Linux:    &cri.LinuxContainerConfig{SecurityContext: &cri.LinuxContainerSecurityContext{NamespaceOptions: &cri.NamespaceOption{Pid: cri.NamespaceMode_CONTAINER}}},
	}
	if change != nil {
		change(config)
	}
	r, err := p.runtime.CreateContainer(p.context(), &cri.CreateContainerRequest{PodSandboxId: p.id, Config: config, SandboxConfig: p.config})
	p.check("CreateContainer", err)
	return r.ContainerId
}

// run makes a container and starts it.
func (p *pod) run(name string, change func(*cri.ContainerConfig), command ...string) string {
	p.Helper()
	id := p.create(name, change, command...)
	_, err := p.runtime.StartContainer(p.context(), &cri.StartContainerRequest{ContainerId: id})
	p.check("StartContainer", err)
	return id
}

// exec runs a command in a container.
func (k *kubelet) exec(id string, command ...string) (stdout string, code int32) {
	k.Helper()
	r, err := k.runtime.ExecSync(k.context(), &cri.ExecSyncRequest{ContainerId: id, Cmd: command, Timeout: 30})
	k.check(fmt.Sprintf("ExecSync %q", command), err)
	return string(r.Stdout), r.ExitCode
}

// prints fails unless a command in a container prints a text.
func (k *kubelet) prints(want, id string, command ...string) {
	k.Helper()
	if got, code := k.exec(id, command...); code != 0 || strings.TrimSpace(got) != want {
		k.Errorf("%q: exit code %d, %q; want %q", command, code, got, want)
	}
}

func (k *kubelet) container(id string) *cri.ContainerStatus {
	k.Helper()
	r, err := k.runtime.ContainerStatus(k.context(), &cri.ContainerStatusRequest{ContainerId: id})
	k.check("ContainerStatus", err)
	return r.Status
}

// ended waits for a container's end and returns its status.
func (k *kubelet) ended(id string) *cri.ContainerStatus {
	k.Helper()
	k.eventually("container "+id+" ends", func() bool { return k.container(id).State == cri.ContainerState_CONTAINER_EXITED })
	return k.container(id)
}

// log is what a container has written, without the time and the stream.
func (p *pod) log(name string) string {
	data, _ := os.ReadFile(filepath.Join(p.config.LogDirectory, name+".log")) // not there yet: empty
	var b strings.Builder
	for line := range strings.Lines(string(data)) {
		if f := strings.SplitN(line, " ", 4); len(f) == 4 {
			b.WriteString(f[3])
		}
	}
	return b.String()
}

// logged waits until a container's log is a text.
func (p *pod) logged(name, want string) {
	p.Helper()
	deadline := time.Now().Add(goneTimeout)
	for p.log(name) != want {
		if time.Now().After(deadline) {
			p.Fatalf("the log of %s is %q, not %q", name, p.log(name), want)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// remove ends a pod with its containers.
func (p *pod) remove() {
	p.Helper()
	_, err := p.runtime.StopPodSandbox(p.context(), &cri.StopPodSandboxRequest{PodSandboxId: p.id})
	p.check("StopPodSandbox", err)
	_, err = p.runtime.RemovePodSandbox(p.context(), &cri.RemovePodSandboxRequest{PodSandboxId: p.id})
	p.check("RemovePodSandbox", err)
}

// stop stops a container with a time to end by itself.
func (k *kubelet) stop(id string, patience time.Duration) {
	k.Helper()
	_, err := k.runtime.StopContainer(k.context(), &cri.StopContainerRequest{ContainerId: id, Timeout: int64(patience / time.Second)})
	k.check("StopContainer", err)
}
