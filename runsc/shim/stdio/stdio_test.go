package stdio

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func fifo(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFIFOs(t *testing.T) {
	in, out := fifo(t, "in"), fifo(t, "out")
	client, err := os.OpenFile(out, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(context.Background(), Names{Stdin: in, Stdout: out}, Owner{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	files := f.ForProcess()
	process := [2]int{}
	for i := range process {
		if process[i], err = unix.Dup(int(files[i].Fd())); err != nil {
			t.Fatal(err)
		}
	}
	f.Started()

	// A client that goes away breaks nothing.
	client.Close()
	if _, err := unix.Write(process[1], []byte("kept")); err != nil {
		t.Errorf("writing without a client: %v", err)
	}
	if client, err = os.OpenFile(out, unix.O_RDONLY, 0); err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	unix.Close(process[1])
	if text, err := io.ReadAll(client); err != nil || string(text) != "kept" {
		t.Errorf("the next client reads %q, %v", text, err)
	}

	// Input ends when the client says so, not when it goes away.
	writer, err := os.OpenFile(in, unix.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	writer.WriteString("in")
	writer.Close()
	buf := make([]byte, 8)
	if n, err := unix.Read(process[0], buf); n != 2 || err != nil {
		t.Errorf("the process reads %d, %v", n, err)
	}
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(process[0]), Events: unix.POLLIN}}, 0); n != 0 || err != nil {
		t.Errorf("the input has ended before the client said so")
	}
	f.CloseStdin()
	if n, err := unix.Read(process[0], buf); n != 0 || err != nil {
		t.Errorf("after the end the process reads %d, %v", n, err)
	}
	unix.Close(process[0])
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f, err := Open(context.Background(), Names{Stdout: "file://" + path}, Owner{})
	if err != nil {
		t.Fatal(err)
	}
	files := f.ForProcess()
	files[1].WriteString("out ")
	files[2].WriteString("err")
	f.Close()
	if text, err := os.ReadFile(path); err != nil || string(text) != "out err" {
		t.Errorf("the file holds %q, %v", text, err)
	}
	if _, err := Open(context.Background(), Names{Stdout: "other://x"}, Owner{}); err == nil {
		t.Error("an unknown scheme is no error")
	}
}

func TestPipesAreTheOwners(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give files away")
	}
	in := fifo(t, "in")
	log := filepath.Join(t.TempDir(), "log")
	f, err := Open(context.Background(), Names{Stdin: in, Stdout: "file://" + log}, Owner{UID: 1234, GID: 5678})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Stat(in, &st); err != nil || st.Uid != 1234 || st.Gid != 5678 {
		t.Errorf("the FIFO is of %d:%d, %v", st.Uid, st.Gid, err)
	}
	if err := unix.Stat(log, &st); err != nil || st.Uid != 0 {
		t.Errorf("a file is of %d, %v", st.Uid, err)
	}
}
