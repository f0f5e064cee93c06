package ptrace

import "testing"

func TestZygote(t *testing.T) {
	z, err := StartZygote()
	if err != nil {
		t.Fatal(err)
	}
	defer z.Stop()
	pid, errno := z.fork()
	if errno != 0 || pid <= 0 {
		t.Fatal(pid, errno)
	}
	t.Log(z.pid, pid)
}
