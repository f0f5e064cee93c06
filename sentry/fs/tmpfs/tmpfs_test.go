package tmpfs_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"cordon/platform/memfile"
	"cordon/sentry/fs/tmpfs"
	"cordon/sentry/vfs"
	"cordon/sentry/vfs/vfstest"
)

func newMemory(t *testing.T) *memfile.File {
	t.Helper()
	return memory(t, memfile.New)
}

func memory(t *testing.T, of func(fd int32, id uint64) *memfile.File) *memfile.File {
	t.Helper()
	fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := of(int32(fd), 1)
	t.Cleanup(f.Close)
	return f
}

func newFS(t *testing.T, v *vfs.VFS) vfs.FileSystem { return with(t, v, "mode=755") }

func with(t *testing.T, v *vfs.VFS, data string) *tmpfs.FS {
	t.Helper()
	fs, err := tmpfs.New(tmpfs.Options{
		Memory: newMemory(t), Clock: func() int64 { return v.Now().ToNS() }, Device: v.NextDevice(), Total: 1 << 30, Data: data,
	})
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

func TestSuite(t *testing.T) { vfstest.Run(t, newFS) }
