package apps

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Programs write to a file of the host's that they inherit: with write(2), with
// copy_file_range(2) and sendfile(2), and at offsets they set, all of which
// share the offset of whoever opened it.
func TestRedirected(t *testing.T) {
	const script = `echo a; cat /etc/hosts; tail -n 1 /etc/hosts; head -c 3 /etc/hosts; cat /etc/hosts /etc/hosts
dd if=/etc/hosts bs=5 count=1 status=none; (dd seek=2 bs=1 status=none conv=notrunc; echo after) </etc/hosts; cat <<X
here
X
echo end`
	text := func(cmd *exec.Cmd) string {
		f, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		f.WriteString("before\n")
		cmd.Stdout, cmd.Stderr, cmd.WaitDelay = f, os.Stderr, time.Second
		timer := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
		defer timer.Stop()
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v: %v", cmd, err)
		}
		f.WriteString("last\n")
		data, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	s := newSandbox(t)
	got, want := text(s.do("bash", "-c", script)), text(exec.Command("bash", "-c", script))
	if got != want {
		t.Errorf("the file differs: %s", diff(got, want))
	}
}
