package syscalls

import (
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/arg"
)

// BenchmarkFindCold goes through a tree of the host as find(1) does, for the first
// time in a file system. The gofer is in this process: what it costs is in it too.
func BenchmarkFindCold(bb *testing.B) {
	dirs := 0
	for bb.Loop() {
		bb.StopTimer()
		b := newBenchOf(bb, "/usr")
		f := finder{bench: b}
		bb.StartTimer()
		f.walk(linux.AT_FDCWD, "/")
		dirs += f.dirs
	}
	bb.ReportMetric(float64(bb.Elapsed().Nanoseconds())/float64(dirs), "ns/dir")
}

type finder struct {
	*bench
	dirs int
}

func (f *finder) must(v uintptr, err error) linux.FD {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
	return linux.FD(v)
}

// walk makes the calls that fts(3) makes for a directory.
func (f *finder) walk(at linux.FD, name string) {
	const flags = linux.O_RDONLY | linux.O_NOCTTY | linux.O_NONBLOCK | linux.O_NOFOLLOW | linux.O_CLOEXEC | linux.O_DIRECTORY
	stat := arg.Out[linux.Stat](f.buf())
	f.dirs++
	f.must(sysNewfstatat(f.t, at, f.path(name), stat, linux.AT_SYMLINK_NOFOLLOW))
	fd := f.must(sysOpenat(f.t, at, f.path(name), flags, 0))
	f.must(sysNewfstatat(f.t, fd, f.path(""), stat, linux.AT_EMPTY_PATH))
	f.must(sysNewfstatat(f.t, at, f.path(name), stat, linux.AT_SYMLINK_NOFOLLOW))
	dup := f.must(sysFcntl(f.t, fd, linux.F_DUPFD_CLOEXEC, 3))
	var below []string
	buf := make([]byte, 2*linux.PageSize)
	for {
		n, err := sysGetdents64(f.t, fd, arg.OutBytes(f.buf()), arg.Count(len(buf)))
		if err != nil {
			f.Fatal(err)
		}
		if n == 0 {
			break
		}
		if _, err := f.t.MM().CopyIn(f.buf(), buf[:n]); err != nil {
			f.Fatal(err)
		}
		for b := buf[:n]; len(b) > 0; {
			size := int(b[16]) | int(b[17])<<8
			if linux.DirentType(b[18]) == linux.DT_DIR {
				name := b[19:size]
				k := 0
				for name[k] != 0 {
					k++
				}
				if s := string(name[:k]); s != "." && s != ".." {
					below = append(below, s)
				}
			}
			b = b[size:]
		}
	}
	f.must(sysClose(f.t, fd))
	for _, name := range below {
		f.walk(dup, name)
	}
	f.must(sysClose(f.t, dup))
}
