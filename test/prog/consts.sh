#!/bin/sh
# Writes consts.txt: the value of every constant that the programs below this
# directory name, from the C headers.
set -e
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
headers='fcntl.h unistd.h errno.h signal.h stdio.h sys/mman.h sys/stat.h sys/socket.h sys/un.h netinet/in.h netinet/tcp.h
sys/epoll.h sys/eventfd.h sys/timerfd.h sys/signalfd.h sys/inotify.h sys/wait.h sys/ioctl.h sys/prctl.h sys/resource.h
sys/time.h time.h poll.h sched.h sys/file.h sys/xattr.h sys/ipc.h sys/shm.h sys/sem.h sys/msg.h sys/personality.h sys/uio.h sys/random.h
termios.h sys/statfs.h sys/mount.h linux/futex.h linux/membarrier.h linux/rseq.h linux/close_range.h linux/openat2.h
linux/capability.h linux/fs.h linux/falloc.h linux/memfd.h linux/magic.h asm/prctl.h linux/securebits.h linux/sched.h
linux/mempolicy.h linux/seccomp.h linux/stat.h linux/wait.h linux/ptrace.h linux/elf.h linux/audit.h'
for h in $headers; do
	if (cat "$tmp/all.c" 2>/dev/null; printf '#include <%s>\n' "$h") >"$tmp/try.c" && gcc -D_GNU_SOURCE -fsyntax-only "$tmp/try.c" 2>/dev/null; then
		cp "$tmp/try.c" "$tmp/all.c"
	fi
done
names=$(cat */*.prog | sed 's/#.*//; s/"[^"]*"//g' | grep -oE '\b_{0,2}[A-Z][A-Z0-9_]+\b' | sort -u)
cp "$tmp/all.c" "$tmp/gen.c"
echo 'int main(void){' >>"$tmp/gen.c"
for n in $names; do
	printf '_Static_assert((long)(%s) || 1, "");\n' "$n"
done >"$tmp/body"
# Names no header has are left out: the compiler of programs says which.
printf 'int main(void){\n' | cat "$tmp/all.c" - "$tmp/body" >"$tmp/check.c"
printf 'return 0;}\n' >>"$tmp/check.c"
bad=$(gcc -D_GNU_SOURCE -fsyntax-only "$tmp/check.c" 2>&1 | grep -oE "‘[A-Z_0-9]+’ undeclared|'[A-Z_0-9]+' undeclared" | grep -oE '[A-Z_0-9]+' | sort -u || true)
for n in $names; do
	case " $(echo $bad) " in *" $n "*) continue ;; esac
	printf 'printf("%%s %%ld\\n", "%s", (long)(%s));\n' "$n" "$n" >>"$tmp/gen.c"
done
echo 'return 0;}' >>"$tmp/gen.c"
gcc -D_GNU_SOURCE -w -o "$tmp/gen" "$tmp/gen.c"
"$tmp/gen" >consts.txt
# What the headers of older systems lack.
for extra in $(cat extra.txt 2>/dev/null | tr ' ' '='); do
	grep -q "^${extra%%=*} " consts.txt || echo "$extra" | tr '=' ' ' >>consts.txt
done
sort -o consts.txt consts.txt
[ -z "$bad" ] || echo "no header has:" $bad >&2
