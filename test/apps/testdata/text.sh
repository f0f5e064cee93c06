# needs: gcc
# time: 90
# Programs that have the same text, and some that change theirs.
exec 2>&1
cat > lib.c <<'END'
/* A call of the kernel's, and a number of the library's own. */
long id(void) { long r; __asm__ volatile("mov $39, %%eax\n syscall" : "=a"(r) : : "rcx", "r11", "memory"); return r; }
int version(void) { return VERSION; }
END
cat > prog.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
long id(void);
int version(void);
static const unsigned char seven[] = {0xb8, 7, 0, 0, 0, 0xc3}; /* mov $7, %eax; ret */
static char *page(void *p) { return (char *)((unsigned long)p & ~4095ul); }
static void poke(int fd, void *at) { if (pwrite(fd, seven, sizeof seven, (long)at) != sizeof seven) perror("poke"); }
/* told is whether the kernel shows the text at p as the library's file has it. */
static int told(void *p) {
	Dl_info i;
	char a[64], b[64];
	if (!dladdr(p, &i) || !i.dli_fname) return 2; /* a static program */
	long off = (char *)p - (char *)i.dli_fbase;
	FILE *f = fopen(i.dli_fname, "r");
	int mem = open("/proc/self/mem", O_RDONLY);
	int ok = f && !fseek(f, off, 0) && fread(a, 1, 64, f) == 64 && pread(mem, b, 64, (long)p) == 64 && !memcmp(a, b, 64);
	fclose(f);
	close(mem);
	return ok;
}
int main(int argc, char **argv) {
	char *how = argv[1];
	long n = 0;
	for (int i = 0; i < 40; i++) n += id() == syscall(SYS_getpid) && getppid() > 0;
	void *fn = how[0] == 'C' ? (void *)getppid : (void *)id;
	how += how[0] == 'C';
	if (!strcmp(how, "mprotect")) {
		if (mprotect(page(fn), 8192, PROT_READ | PROT_WRITE | PROT_EXEC)) perror("mprotect");
		memcpy(fn, seven, sizeof seven);
		mprotect(page(fn), 8192, PROT_READ | PROT_EXEC);
	} else if (!strcmp(how, "mem")) {
		poke(open("/proc/self/mem", O_RDWR), fn);
	} else if (!strcmp(how, "fork")) {
		if (fork() == 0) {
			poke(open("/proc/self/mem", O_RDWR), fn);
			_exit(((long (*)(void))fn)());
		}
		int s;
		wait(&s);
		printf("child %d, ", WEXITSTATUS(s));
	} else if (!strcmp(how, "watch")) { /* others write to the file meanwhile */
		printf("version %d, then ", version());
		close(creat("ready", 0600));
		while (access("go", F_OK)) usleep(1000);
	} else if (!strcmp(how, "over")) { /* what may be at fixed distances goes */
		for (long d = 1L << 20; d <= 1L << 31; d *= 2)
			for (int sign = -1; sign <= 1; sign += 2) {
				Dl_info i;
				if (!dladdr(fn, &i)) i.dli_fbase = (void *)0x400000;
				mmap((char *)i.dli_fbase + sign * d, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
			}
		n = 0;
		for (int i = 0; i < 40; i++) n += id() == syscall(SYS_getpid) && getppid() > 0;
	}
	long r = ((long (*)(void))fn)();
	printf("%s %ld calls, now %s, version %d, told %d\n", how, n, r == 7 ? "seven" : r > 0 ? "right" : "wrong", version(), told(fn));
	return 0;
}
END
gcc -O1 -fPIC -shared -DVERSION=1 -o lib1.so lib.c && gcc -O1 -fPIC -shared -DVERSION=2 -o lib2.so lib.c
cp lib1.so libx.so && gcc -O1 -o prog prog.c -L. -lx -Wl,-rpath,"$PWD" && gcc -O1 -static -DVERSION=3 -o static prog.c lib.c
runs() { for i in {1..12}; do ./prog good; done | sort | uniq -c; }
runs
for how in mprotect mem fork over; do for where in "" C; do ./prog $where$how; ./prog good; done; done
runs
# Written in place, while somebody has it mapped.
./prog watch & until [ -e ready ]; do :; done; dd if=lib2.so of=libx.so conv=notrunc status=none; touch go; wait
./prog good; runs
cp lib1.so libx.so; ./prog good
for i in {1..12}; do ./static good; done | sort | uniq -c
for how in mprotect mem fork over; do ./static $how; done; ./static good
for i in {1..8}; do ./prog good & ./prog mem & ./static mprotect & done | sort | uniq -c; wait
