package clients

import (
	"testing"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func TestCRI16(t *testing.T) {
	k := newKubelet(t, "")
	k.pods(t)
}

func TestCRI2(t *testing.T) {
	k := newKubelet(t, containerd2(t))
	k.pods(t)
}

// pods is what a kubelet does with a runtime.
func (k *kubelet) pods(t *testing.T) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *kubelet)
	}{
		{"a pod has two containers in one sandbox", podTwo},
	} {
		t.Run(test.name, func(t *testing.T) {
			mine := *k
			mine.containerd = k.of(t)
			defer func() {
				k.daemon, k.world.daemons = mine.daemon, mine.world.daemons
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
	k.eventually("its log is whole", func() bool { return p.log("side") == "started\nended\n" })
	k.prints("page", web, "cat", "/srv/www/index.html")
	p.remove()
}
