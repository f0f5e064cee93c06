package clients

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func TestCRI16(t *testing.T) { newKubelet(t, "").handlers(t) }

func TestCRI2(t *testing.T) { newKubelet(t, containerd2(t)).handlers(t) }

// handlers runs pods by our shim and by runc's.
func (k *kubelet) handlers(t *testing.T) {
	for _, h := range []struct{ name, handler string }{{"runsc.v1", "runsc"}, {"runc.v2", "plain"}} {
		t.Run(h.name, func(t *testing.T) {
			mine := *k
			mine.containerd, mine.handler = k.of(t), h.handler
			mine.pods(t)
		})
	}
}

// pods is what a kubelet does with a runtime.
func (k *kubelet) pods(t *testing.T) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *kubelet)
	}{
		{"a pod has two containers in one sandbox", podTwo},
		{"execSync ends at its time-out", podExecTimeout},
		{"exec, attach and port forward stream", podStreams},
		{"stats and update reach the container", podStats},
		{"a container that takes too much memory is killed for it", podOOM},
		{"users, groups, read-only roots, mounts and capabilities are as asked", podSecurity},
		{"mounts of the host come to volumes that ask for them", podMounts},
		{"the PID namespace is shared where the pod says so", podSharedPIDs},
		{"a container that fails can be made anew beside the others", podAgain},
		{"a pod's containers live on when its first is killed", podWithoutPause},
		{"pods live on while containerd is restarted", podRestart},
		{"a shim that is killed leaves nothing, and its pod can be removed", podShimCrash},
	} {
		t.Run(test.name, func(t *testing.T) {
			mine := *k
			mine.containerd = k.of(t)
			defer func() {
				k.daemon = mine.daemon
				if t.Failed() {
					mine.clearPods()
				}
			}()
			test.run(t, &mine)
			mine.noPods()
		})
	}
}

// clearPods removes all pods.
func (k *kubelet) clearPods() {
	k.Helper()
	r, err := k.runtime.ListPodSandbox(k.context(), &cri.ListPodSandboxRequest{})
	if err != nil {
		k.Logf("ListPodSandbox: %v", err)
		return
	}
	for _, p := range r.Items {
		k.runtime.StopPodSandbox(k.context(), &cri.StopPodSandboxRequest{PodSandboxId: p.Id})
		k.runtime.RemovePodSandbox(k.context(), &cri.RemovePodSandboxRequest{PodSandboxId: p.Id})
	}
}

// noPods fails where anything is left of a pod.
func (k *kubelet) noPods() {
	k.Helper()
	r, err := k.runtime.ListPodSandbox(k.context(), &cri.ListPodSandboxRequest{})
	k.check("ListPodSandbox", err)
	for _, p := range r.Items {
		k.Errorf("pod %s is left", p.Metadata.Name)
	}
	k.gone("state directories", k.states)
	k.gone("cgroups", k.cgroups)
}

func podTwo(t *testing.T, k *kubelet) {
	p := k.pod("two", nil)
	web := p.run("web", nil, "sh", "-c", "mkdir /srv/www; echo page >/srv/www/index.html; httpd -f -p 8080 -h /srv/www")
	side := p.run("side", nil, "sh", "-c", "echo started; trap 'echo ended; exit 3' TERM; while :; do sleep 0.1; done")
	k.prints("two", web, "hostname")
	k.prints("two", side, "hostname")
	k.prints("page", web, "cat", "/srv/www/index.html")
	if _, code := k.exec(side, "cat", "/srv/www/index.html"); code == 0 {
		t.Error("one container sees the other's files")
	}
	k.eventually("the second reaches the first over the pod's loopback", func() bool {
		out, _ := k.exec(side, "wget", "-qO-", "http://127.0.0.1:8080/index.html")
		return out == "page\n"
	})
	if _, code := k.exec(side, "sh", "-c", "exit 7"); code != 7 {
		t.Errorf("exit code %d, not 7", code)
	}
	if got := k.container(side).State; got != cri.ContainerState_CONTAINER_RUNNING {
		t.Errorf("the second container is %v", got)
	}
	k.stop(side, 10*time.Second)
	if s := k.ended(side); s.ExitCode != 3 {
		t.Errorf("its exit code is %d, %s", s.ExitCode, s.Reason)
	}
	p.logged("side", "started\nended\n")
	k.prints("page", web, "cat", "/srv/www/index.html")
	p.remove()
}

func podExecTimeout(t *testing.T, k *kubelet) {
	p := k.pod("timeout", nil)
	id := p.run("main", nil, "sleep", "1000")
	_, err := k.runtime.ExecSync(k.context(), &cri.ExecSyncRequest{ContainerId: id, Cmd: []string{"sleep", "500"}, Timeout: 1})
	if err == nil || !strings.Contains(err.Error(), "timeout") && !strings.Contains(err.Error(), "timed out") && !strings.Contains(err.Error(), "DeadlineExceeded") {
		t.Errorf("a command that takes too long: %v", err)
	}
	k.eventually("it is gone", func() bool {
		ps, _ := k.exec(id, "ps")
		return !strings.Contains(ps, "sleep 500")
	})
	p.remove()
}

func podStreams(t *testing.T, k *kubelet) {
	p := k.pod("streams", nil)
	id := p.run("main", func(c *cri.ContainerConfig) { c.Stdin = true },
		"sh", "-c", "mkdir /srv/www; echo forwarded >/srv/www/index.html; httpd -p 8081 -h /srv/www; while read line; do echo got $line; done")
	// What containerd does when a port is forwarded.
	k.eventually("the loopback of the pod's network namespace is the sandbox's", func() bool {
		conn, err := dialFrom(k.root(p.netns()), "127.0.0.1:8081")
		if err != nil {
			return false
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(commandTimeout))
		fmt.Fprint(conn, "GET / HTTP/1.0\r\n\r\n")
		answer, _ := io.ReadAll(conn)
		return strings.HasSuffix(string(answer), "forwarded\n")
	})
	exec, err := k.runtime.Exec(k.context(), &cri.ExecRequest{ContainerId: id, Cmd: []string{"sh", "-c", "cat; echo err >&2; exit 5"},
		Stdin: true, Stdout: true, Stderr: true})
	k.check("Exec", err)
	s := k.stream(exec.Url)
	s.send(0, "typed\n")
	s.expect(1, "typed\n")
	s.close()

	tty, err := k.runtime.Exec(k.context(), &cri.ExecRequest{ContainerId: id, Cmd: []string{"sh"}, Stdin: true, Stdout: true, Tty: true})
	k.check("Exec with a terminal", err)
	s = k.stream(tty.Url)
	s.send(4, `{"Width":100,"Height":30}`)
	s.send(0, "tty\n")
	s.expect(1, "/dev/pts/")
	s.send(0, "stty size; exit 6\n")
	s.expect(1, "30 100")
	s.expect(3, `"6"`)
	s.close()

	attach, err := k.runtime.Attach(k.context(), &cri.AttachRequest{ContainerId: id, Stdin: true, Stdout: true, Stderr: true})
	k.check("Attach", err)
	s = k.stream(attach.Url)
	s.send(0, "line\n")
	s.expect(1, "got line\n")
	s.close()
	k.eventually("what was attached is in the log", func() bool { return strings.Contains(p.log("main"), "got line\n") })
	p.remove()
}

func podStats(t *testing.T, k *kubelet) {
	p := k.pod("stats", nil)
	id := p.run("main", func(c *cri.ContainerConfig) {
		c.Linux.Resources = &cri.LinuxContainerResources{MemoryLimitInBytes: 256 << 20, CpuShares: 512}
	}, "sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done; sleep 1000")
	k.eventually("stats show work", func() bool {
		r, err := k.runtime.ContainerStats(k.context(), &cri.ContainerStatsRequest{ContainerId: id})
		if err != nil {
			k.Logf("ContainerStats: %v", err)
			return false
		}
		return r.Stats.GetCpu().GetUsageCoreNanoSeconds().GetValue() > 0 && r.Stats.GetMemory().GetWorkingSetBytes().GetValue() > 0
	})
	k.prints("262144", id, "sh", "-c", "grep MemTotal /proc/meminfo | tr -dc 0-9")
	_, err := k.runtime.UpdateContainerResources(k.context(), &cri.UpdateContainerResourcesRequest{ContainerId: id,
		Linux: &cri.LinuxContainerResources{MemoryLimitInBytes: 128 << 20}})
	k.check("UpdateContainerResources", err)
	p.remove()
}

func podSecurity(t *testing.T, k *kubelet) {
	dir := filepath.Join(k.dir, "volume")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	k.write(filepath.Join(dir, "file"), "volume")
	p := k.pod("security", nil)
	id := p.run("main", func(c *cri.ContainerConfig) {
		sc := c.Linux.SecurityContext
		sc.RunAsUser, sc.RunAsGroup, sc.SupplementalGroups = &cri.Int64Value{Value: 1000}, &cri.Int64Value{Value: 1000}, []int64{2000}
		sc.ReadonlyRootfs, sc.NoNewPrivs = true, true
		sc.Capabilities = &cri.Capability{DropCapabilities: []string{"ALL"}}
		sc.MaskedPaths, sc.ReadonlyPaths = []string{"/proc/kcore", "/etc/issue"}, []string{"/proc/sys"}
		c.Mounts = []*cri.Mount{{ContainerPath: "/srv", HostPath: dir, Readonly: true}, {ContainerPath: "/var/log", HostPath: dir}}
		c.Envs = []*cri.KeyValue{{Key: "A", Value: "b"}}
		c.WorkingDir = "/home"
	}, "sleep", "1000")
	k.prints("1000 1000 1000 2000", id, "sh", "-c", "echo $(id -u) $(id -g) $(id -G)")
	k.prints("b /home", id, "sh", "-c", "echo $A $(pwd)")
	k.prints("volume", id, "cat", "/srv/file")
	k.prints("0000000000000000 1", id, "sh", "-c", "echo $(grep CapBnd /proc/self/status | cut -f2) $(grep NoNewPrivs /proc/self/status | cut -f2)")
	k.prints("", id, "cat", "/etc/issue")
	for _, path := range []string{"/new", "/srv/new"} {
		if out, code := k.exec(id, "sh", "-c", "touch "+path+" 2>&1"); code == 0 || !strings.Contains(out, "Read-only") {
			t.Errorf("touch %s: exit code %d, %q", path, code, out)
		}
	}
	if out, code := k.exec(id, "touch", "/var/log/new"); code != 0 {
		t.Errorf("a writable volume: exit code %d, %q", code, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "new")); err != nil {
		t.Errorf("what is written to a volume is on the host: %v", err)
	}
	p.remove()
}

func podMounts(t *testing.T, k *kubelet) {
	dir := filepath.Join(k.dir, "propagation-"+k.handler)
	for _, d := range []string{"early", "late"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	early, late := filepath.Join(dir, "early"), filepath.Join(dir, "late")
	k.must("mount", "-t", "tmpfs", "none", early)
	defer k.must("umount", "-l", early)
	p := k.pod("mounts", nil)
	id := p.run("main", func(c *cri.ContainerConfig) {
		c.Mounts = []*cri.Mount{
			{ContainerPath: "/slave", HostPath: dir, Propagation: cri.MountPropagation_PROPAGATION_HOST_TO_CONTAINER},
			{ContainerPath: "/private", HostPath: dir},
			{ContainerPath: "/readonly", HostPath: dir, Readonly: true},
		}
	}, "sleep", "1000")
	k.must("mount", "-t", "tmpfs", "none", late)
	defer k.must("umount", "-l", late)
	k.must("touch", filepath.Join(late, "file"))
	k.prints("file", id, "ls", "/slave/late")
	k.prints("", id, "ls", "/private/late")
	k.prints("", id, "touch", "/readonly/early/new")
	if out, code := k.exec(id, "sh", "-c", "touch /readonly/new 2>&1"); code == 0 || !strings.Contains(out, "Read-only") {
		t.Errorf("the mount itself is read-only: exit code %d, %q", code, out)
	}
	p.remove()
}

func podSharedPIDs(t *testing.T, k *kubelet) {
	shared := func(c *cri.ContainerConfig) {
		c.Linux.SecurityContext.NamespaceOptions.Pid = cri.NamespaceMode_POD
	}
	p := k.pod("pids", func(c *cri.PodSandboxConfig) {
		c.Linux.SecurityContext.NamespaceOptions = &cri.NamespaceOption{Pid: cri.NamespaceMode_POD}
	})
	p.run("one", shared, "sleep", "12345")
	two := p.run("two", shared, "sleep", "1000")
	own := p.run("own", nil, "sleep", "1000")
	if ps, _ := k.exec(two, "ps"); !strings.Contains(ps, "sleep 12345") {
		t.Errorf("processes of a shared namespace: %s", ps)
	}
	if ps, _ := k.exec(own, "ps"); strings.Contains(ps, "sleep 12345") {
		t.Errorf("processes of a namespace of its own: %s", ps)
	}
	p.remove()
}

func podAgain(t *testing.T, k *kubelet) {
	p := k.pod("again", nil)
	keep := p.run("keep", nil, "sleep", "1000")
	for i := range 3 {
		id := p.run(fmt.Sprintf("try%d", i), nil, "sh", "-c", fmt.Sprintf("echo failing; exit %d", i+1))
		if s := k.ended(id); s.ExitCode != int32(i+1) {
			t.Errorf("exit code %d, not %d", s.ExitCode, i+1)
		}
		_, err := k.runtime.RemoveContainer(k.context(), &cri.RemoveContainerRequest{ContainerId: id})
		k.check("RemoveContainer", err)
	}
	bad := p.create("bad", nil, "no-such-program")
	if _, err := k.runtime.StartContainer(k.context(), &cri.StartContainerRequest{ContainerId: bad}); err == nil {
		t.Error("a program that is not there starts")
	}
	_, err := k.runtime.RemoveContainer(k.context(), &cri.RemoveContainerRequest{ContainerId: bad})
	k.check("RemoveContainer", err)
	k.prints("still", keep, "echo", "still")
	p.remove()
}

func podRestart(t *testing.T, k *kubelet) {
	p := k.pod("restart", nil)
	id := p.run("main", nil, "sh", "-c", "trap 'echo ended; exit 4' TERM; echo started; while :; do sleep 0.1; done")
	k.daemon.stop(syscall.SIGTERM)
	k.start()
	k.eventually("the CRI is back", func() bool {
		r, err := k.runtime.ContainerStatus(k.context(), &cri.ContainerStatusRequest{ContainerId: id})
		return err == nil && r.Status.State == cri.ContainerState_CONTAINER_RUNNING
	})
	k.prints("again", id, "echo", "again")
	second := p.run("second", nil, "sleep", "1000")
	k.prints("in the second", second, "echo", "in the second")
	k.stop(id, 10*time.Second)
	if s := k.ended(id); s.ExitCode != 4 {
		t.Errorf("exit code %d, not 4", s.ExitCode)
	}
	p.logged("main", "started\nended\n")
	p.remove()
}

func podShimCrash(t *testing.T, k *kubelet) {
	p := k.pod("crash", nil)
	id := p.run("main", nil, "sleep", "1000")
	k.must("pkill", "-KILL", "-f", "containerd-shim.*"+p.id)
	if s := k.ended(id); s.ExitCode == 0 {
		t.Errorf("exit code %d", s.ExitCode)
	}
	p.remove()
}

func podOOM(t *testing.T, k *kubelet) {
	p := k.pod("oom", nil)
	beside := p.run("beside", nil, "sleep", "1000")
	id := p.run("main", func(c *cri.ContainerConfig) {
		c.Linux.Resources = &cri.LinuxContainerResources{MemoryLimitInBytes: 64 << 20}
	}, "sh", "-c", "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done")
	if s := k.ended(id); s.ExitCode != 137 || s.Reason != "OOMKilled" {
		t.Errorf("it ended with exit code %d, %s", s.ExitCode, s.Reason)
	}
	k.prints("still", beside, "echo", "still")
	p.remove()
}

func podWithoutPause(t *testing.T, k *kubelet) {
	p := k.pod("headless", nil)
	web := p.run("web", nil, "sh", "-c", "mkdir /srv/www; echo page >/srv/www/index.html; httpd -f -p 8080 -h /srv/www")
	side := p.run("side", func(c *cri.ContainerConfig) {
		c.Linux.Resources = &cri.LinuxContainerResources{MemoryLimitInBytes: 64 << 20}
	}, "sleep", "1000")
	status := func(verbose bool) *cri.PodSandboxStatusResponse {
		r, err := k.runtime.PodSandboxStatus(k.context(), &cri.PodSandboxStatusRequest{PodSandboxId: p.id, Verbose: verbose})
		k.check("PodSandboxStatus", err)
		return r
	}
	r := status(true)
	var info struct{ Pid int }
	if err := json.Unmarshal([]byte(r.Info["info"]), &info); err != nil || info.Pid == 0 {
		t.Fatalf("the pod's process is %d, %v", info.Pid, err)
	}
	k.must("kill", "-KILL", strconv.Itoa(info.Pid))
	k.eventually("the pod is not ready", func() bool { return status(false).Status.State == cri.PodSandboxState_SANDBOX_NOTREADY })
	k.prints("page", web, "cat", "/srv/www/index.html")
	k.eventually("the pod's network is there", func() bool {
		out, _ := k.exec(side, "wget", "-qO-", "http://127.0.0.1:8080/index.html")
		return out == "page\n"
	})
	if out := k.must("wget", "-qO-", "http://"+r.Status.Network.Ip+":8080/index.html"); out != "page\n" {
		t.Errorf("the host sees %q", out)
	}
	k.stop(web, 0)
	if s := k.ended(web); s.ExitCode != 137 {
		t.Errorf("its exit code is %d, %s", s.ExitCode, s.Reason)
	}
	k.prints("still", side, "echo", "still")
	p.remove()
}
