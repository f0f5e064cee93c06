// vm runs programs of test/prog: it interprets their images, records what
// they see in shared memory and writes the records to its standard output.
//
// It is freestanding (no libc, no thread state but its own) so that a guest
// process does the program's system calls and next to nothing else. The form
// of images and records is told in test/prog/doc.go; platform/sim runs the
// same images by test/prog/simvm.
//
//	vm BUNDLE BASE SECONDS    run every program, each in a directory below BASE
//	exec PC                   (argv[0] is "exec") go on at PC after an execve

typedef unsigned long u64;
typedef long s64;
typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned char u8;

enum {
	NR_READ = 0, NR_WRITE = 1, NR_OPEN = 2, NR_CLOSE = 3, NR_CLOSE_RANGE = 436, NR_MMAP = 9, NR_MUNMAP = 11,
	NR_SIGACTION = 13, NR_PREAD = 17, NR_YIELD = 24, NR_DUP2 = 33, NR_NANOSLEEP = 35,
	NR_GETPID = 39, NR_SOCKET = 41, NR_IOCTL = 16, NR_CLONE = 56, NR_EXIT = 60, NR_WAIT4 = 61,
	NR_KILL = 62, NR_FTRUNCATE = 77, NR_CHDIR = 80, NR_MKDIR = 83, NR_UMASK = 95,
	NR_SETSID = 112, NR_ARCH_PRCTL = 158, NR_GETTID = 186, NR_EXIT_GROUP = 231,
	NR_MEMFD = 319, NR_CLONE3 = 435,
};

enum { ARENA = 0x20000000, ARENA_MAX = 0x400000, TRACE = 0x30000000, SLOTS = 64, SLOT_SIZE = 65536,
	STACK_SIZE = 32768, TRACE_FD = 1000, IMAGE_FD = 1001 };

// Places in an image's header.
enum { AT_ENTRY = 8, AT_SIZE = 16, AT_SIG = 0x100, AT_INFO = 0x108, AT_UCTX = 0x110, AT_ARGC = 0x118,
	AT_ARGV = 0x120, AT_VM = 0x128, AT_BASE = 0x130, AT_HANDLERS = 0x200 };

enum { OP_SYSCALL = 1, OP_BIN, OP_LOAD, OP_STORE, OP_JMP, OP_JZ, OP_SHOW, OP_SHOWBYTES, OP_CLONE,
	OP_CLONE3, OP_HANDLER, OP_END, OP_SKIP, OP_SETTLE, OP_MOV };

struct ins { u16 op, flags; u32 site, dst, a[7]; };

struct slot { u32 parent, index, children, len; s64 tid; u64 self; char data[]; };

struct trace { u64 magic, nslots; };

static char stacks[SLOTS][STACK_SIZE] __attribute__((aligned(16)));

s64 raw(s64 nr, s64 a, s64 b, s64 c, s64 d, s64 e, s64 f);
s64 raw_clone(s64 nr, s64 a, s64 b, s64 c, s64 d, s64 e, u64 pc);
s64 peek(u64 addr, u64 size);
void poke(u64 addr, u64 size, u64 value);
extern char leaf_ret[], restorer[], on_signal_entry[];

__asm__(
	".globl _start\n_start: mov %rsp,%rdi; and $-16,%rsp; call begin; hlt\n"
	".globl raw\nraw: mov %rdi,%rax; mov %rsi,%rdi; mov %rdx,%rsi; mov %rcx,%rdx; mov %r8,%r10; mov %r9,%r8\n"
	"  mov 8(%rsp),%r9; syscall; ret\n"
	// A clone whose child goes on in child_main(pc), on whatever stack it has.
	".globl raw_clone\nraw_clone: push %rbx; mov 16(%rsp),%rbx; mov %rdi,%rax; mov %rsi,%rdi; mov %rdx,%rsi\n"
	"  mov %rcx,%rdx; mov %r8,%r10; mov %r9,%r8; syscall; test %rax,%rax; jz 1f; pop %rbx; ret\n"
	"1: xor %ebp,%ebp; mov %rbx,%rdi; and $-16,%rsp; call child_main; hlt\n"
	// One instruction that may fault, then leaf_ret: a handler can go there.
	".globl peek\npeek: cmp $1,%rsi; je 1f; cmp $2,%rsi; je 2f; cmp $4,%rsi; je 4f; mov (%rdi),%rax; ret\n"
	"1: movzbl (%rdi),%eax; ret\n2: movzwl (%rdi),%eax; ret\n4: mov (%rdi),%eax\n"
	".globl leaf_ret\nleaf_ret: ret\n"
	".globl poke\npoke: cmp $1,%rsi; je 1f; cmp $2,%rsi; je 2f; cmp $4,%rsi; je 4f; mov %rdx,(%rdi); ret\n"
	"1: mov %dl,(%rdi); ret\n2: mov %dx,(%rdi); ret\n4: mov %edx,(%rdi); ret\n"
	".globl restorer\nrestorer: mov $15,%eax; syscall\n");

void *memset(void *p, int c, u64 n) { char *q = p; while (n--) *q++ = c; return p; }
void *memcpy(void *p, const void *s, u64 n) { char *q = p; const char *r = s; while (n--) *q++ = *r++; return p; }

#define SYS(nr, ...) raw_(nr, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define raw_(nr, a, b, c, d, e, f, ...) raw(nr, (s64)(a), (s64)(b), (s64)(c), (s64)(d), (s64)(e), (s64)(f))
#define CELL(at) (*(volatile u64 *)(u64)(ARENA + (at)))

static struct slot *slot_at(u64 n) { return (struct slot *)(u64)(TRACE + SLOT_SIZE * (n + 1)); }
static struct trace *header(void) { return (struct trace *)(u64)TRACE; }
static struct slot *self(void) { struct slot *s; __asm__ volatile("mov %%fs:24,%0" : "=r"(s)); return s; }
static u64 number(struct slot *s) { return ((u64)s - TRACE) / SLOT_SIZE - 1; }

static void put(u32 kind, u32 site, u64 value, const char *bytes, u64 n)
{
	struct slot *s = self();
	u32 at = s->len, need = 16 + ((n + 7) & ~7UL);
	if (at + need + sizeof *s > SLOT_SIZE)
		return;
	s->len = at + need;
	*(u32 *)(s->data + at) = kind;
	*(u32 *)(s->data + at + 4) = site;
	*(u64 *)(s->data + at + 8) = value;
	memcpy(s->data + at + 16, bytes, n);
}

static s64 binary(u32 op, u64 a, u64 b)
{
	s64 x = a, y = b;
	switch (op) {
	case 0: return a + b;
	case 1: return a - b;
	case 2: return a * b;
	case 3: return b ? x / y : 0;
	case 4: return b ? x % y : 0;
	case 5: return a & b;
	case 6: return a | b;
	case 7: return a ^ b;
	case 8: return a << (b & 63);
	case 9: return a >> (b & 63);
	case 10: return a == b;
	case 11: return a != b;
	case 12: return x < y;
	case 13: return x <= y;
	case 14: return x > y;
	case 15: return x >= y;
	case 16: return a && b;
	case 17: return a || b;
	}
	return 0;
}

static char *decimal(char *at, u64 v)
{
	char d[24];
	int n = 0;
	do d[n++] = '0' + v % 10; while (v /= 10);
	while (n) *at++ = d[--n];
	*at = 0;
	return at;
}

static void sleep_ms(u64 ms)
{
	u64 ts[2] = { ms / 1000, ms % 1000 * 1000000 };
	SYS(NR_NANOSLEEP, ts, 0);
}

// settle waits until a thread sleeps, stops or ends: what the program wants
// to interrupt or wake has then begun.
static void settle(u64 tid)
{
	char path[64] = "/proc/", b[128];
	int seen = 0;
	char *end = decimal(path + 6, tid);
	memcpy(end, "/stat", 6);
	for (int i = 0; i < 2000 && seen < 3; i++) {
		s64 fd = SYS(NR_OPEN, path, 0, 0);
		if (fd < 0) {
			sleep_ms(30);
			return;
		}
		s64 n = SYS(NR_READ, fd, b, sizeof b);
		SYS(NR_CLOSE, fd);
		char state = 'R';
		for (s64 k = 0; k + 2 < n; k++)
			if (b[k] == ')')
				state = b[k + 2];
		seen = state == 'R' || state == 'D' ? 0 : seen + 1;
		sleep_ms(1);
	}
}

static struct slot *new_slot(void)
{
	struct slot *me = self();
	u64 n = __sync_fetch_and_add(&header()->nslots, 1);
	if (n >= SLOTS)
		SYS(NR_EXIT_GROUP, 99);
	struct slot *s = slot_at(n);
	s->parent = number(me);
	s->index = ++me->children;
	s->self = (u64)s;
	return s;
}

static s64 do_clone(struct ins *i)
{
	struct slot *s = new_slot();
	u64 entry = ARENA + i->a[0], ret;
	if (i->op == OP_CLONE) {
		u64 stack = i->a[2] ? (u64)stacks[number(s)] + STACK_SIZE : 0;
		ret = raw_clone(NR_CLONE, CELL(i->a[1]) | 0x80000, stack, CELL(i->a[3]), CELL(i->a[4]), (u64)s, entry);
	} else {
		u64 *args = (u64 *)CELL(i->a[1]);
		if (CELL(i->a[2]) >= 64) {
			args[0] |= 0x80000;
			args[7] = (u64)s;
		}
		ret = raw_clone(NR_CLONE3, (s64)args, CELL(i->a[2]), 0, 0, 0, entry);
	}
	if ((s64)ret < 0)
		self()->children--;
	return ret;
}

static s64 do_handler(struct ins *i)
{
	u64 sa[4] = { (u64)on_signal_entry, CELL(i->a[2]) | 0x04000000, (u64)restorer, CELL(i->a[3]) };
	CELL(AT_HANDLERS + 8 * (CELL(i->a[1]) & 63)) = ARENA + i->a[0];
	return SYS(NR_SIGACTION, CELL(i->a[1]), sa, 0, 8);
}

static void run(u64 pc)
{
	for (;;) {
		struct ins *i = (struct ins *)pc;
		u64 v = 0;
		pc += sizeof *i;
		switch (i->op) {
		case OP_SYSCALL:
			v = raw(CELL(i->a[0]), CELL(i->a[1]), CELL(i->a[2]), CELL(i->a[3]), CELL(i->a[4]), CELL(i->a[5]), CELL(i->a[6]));
			break;
		case OP_BIN: v = binary(i->a[0], CELL(i->a[1]), CELL(i->a[2])); break;
		case OP_LOAD: v = peek(CELL(i->a[1]), i->a[0]); break;
		case OP_STORE: poke(CELL(i->a[1]), i->a[0], CELL(i->a[2])); continue;
		case OP_JMP: pc = ARENA + i->a[0]; continue;
		case OP_JZ: if (!CELL(i->a[1])) pc = ARENA + i->a[0]; continue;
		case OP_SHOW: put(2, i->site, CELL(i->a[1]), 0, 0); continue;
		case OP_SHOWBYTES: {
			u64 n = CELL(i->a[2]);
			if (n > 4096) n = (s64)n < 0 ? 0 : 4096;
			put(3, i->site, n, (char *)CELL(i->a[1]), n);
			continue;
		}
		case OP_CLONE: case OP_CLONE3: v = do_clone(i); break;
		case OP_HANDLER: v = do_handler(i); break;
		case OP_END: return;
		case OP_SKIP: {
			u64 *gregs = (u64 *)(CELL(AT_UCTX) + 40);
			gregs[16] = (u64)leaf_ret;
			gregs[13] = -1;
			continue;
		}
		case OP_SETTLE: settle(CELL(i->a[1])); continue;
		case OP_MOV: v = CELL(i->a[1]); break;
		default: SYS(NR_EXIT_GROUP, 98);
		}
		CELL(i->dst) = v;
		if (i->flags & 1)
			put(1, i->site, v, 0, 0);
	}
}

void on_signal(u64 sig, u64 info, u64 uctx) __asm__("on_signal_entry");
void on_signal(u64 sig, u64 info, u64 uctx)
{
	u64 s = CELL(AT_SIG), i = CELL(AT_INFO), u = CELL(AT_UCTX);
	CELL(AT_SIG) = sig;
	CELL(AT_INFO) = info;
	CELL(AT_UCTX) = uctx;
	run(CELL(AT_HANDLERS + 8 * (sig & 63)));
	CELL(AT_SIG) = s;
	CELL(AT_INFO) = i;
	CELL(AT_UCTX) = u;
}

void child_main(u64 pc)
{
	self()->tid = SYS(NR_GETTID);
	run(pc);
	SYS(NR_EXIT, 0);
}

static void die(const char *what)
{
	u64 n = 0;
	while (what[n]) n++;
	SYS(NR_WRITE, 2, what, n);
	SYS(NR_WRITE, 2, "\n", 1);
	SYS(NR_EXIT_GROUP, 97);
}

static void map(void)
{
	u64 size;
	if (SYS(NR_MMAP, TRACE, SLOT_SIZE * (SLOTS + 1), 3, 0x11, TRACE_FD, 0) != TRACE)
		die("vm: cannot map the trace");
	if (SYS(NR_MMAP, ARENA, ARENA_MAX, 3, 0x32, -1, 0) != ARENA)
		die("vm: cannot map the arena");
	SYS(NR_PREAD, IMAGE_FD, &size, 8, AT_SIZE);
	for (u64 at = 0; at < size;) {
		s64 n = SYS(NR_PREAD, IMAGE_FD, ARENA + at, size - at, at);
		if (n <= 0)
			die("vm: cannot read the image");
		at += n;
	}
}

static void write_all(const void *p, u64 n)
{
	for (u64 at = 0; at < n;) {
		s64 k = SYS(NR_WRITE, 1, (char *)p + at, n - at);
		if (k <= 0)
			die("vm: cannot write");
		at += k;
	}
}

static void make_fd(int fd, const char *name, u64 size)
{
	s64 m = SYS(NR_MEMFD, name, 0);
	if (m < 0 || SYS(NR_FTRUNCATE, m, size) < 0 || SYS(NR_DUP2, m, fd) != fd)
		die("vm: memfd");
	SYS(NR_CLOSE, m);
}

// first is the life of a program's first process.
static void first(u64 *argv, const char *dir, const char *vm, s64 bundle)
{
	s64 null = SYS(NR_OPEN, "/dev/null", 2, 0);
	if (null < 0)
		die("vm: /dev/null");
	SYS(NR_SETSID);
	SYS(NR_UMASK, 022);
	if (SYS(NR_CHDIR, dir) < 0)
		die("vm: chdir");
	for (int fd = 0; fd < 3; fd++)
		SYS(NR_DUP2, null, fd);
	SYS(NR_CLOSE, bundle);
	SYS(NR_CLOSE, null);
	map();
	struct slot *s = slot_at(0);
	SYS(NR_ARCH_PRCTL, 0x1002, s);
	CELL(AT_VM) = (u64)vm;
	CELL(AT_BASE) = (u64)dir;
	child_main(ARENA + CELL(AT_ENTRY));
}

// end waits for a program's first process, and ends whatever is left.
static s64 end(s64 pid, u64 seconds)
{
	int status = -1;
	u64 waited = 0, step = 1;
	for (;;) {
		int st;
		s64 got = SYS(NR_WAIT4, -1, &st, 0x40000001, 0);
		if (got == pid) {
			status = st;
			break;
		}
		if (got > 0)
			continue;
		if (waited > seconds * 1000)
			break;
		sleep_ms(step);
		waited += step;
		if (step < 16)
			step *= 2;
	}
	if (SYS(NR_GETPID) == 1)
		SYS(NR_KILL, -1, 9);
	else
		SYS(NR_KILL, pid, 9);
	for (u64 i = 0; i < 1000; i++) {
		s64 got = SYS(NR_WAIT4, -1, 0, 0x40000001, 0);
		if (got < 0)
			break;
		if (got == 0)
			sleep_ms(2);
	}
	return status;
}

static void report(u64 index, s64 status)
{
	u64 n = header()->nslots;
	if (n > SLOTS) n = SLOTS;
	u32 head[4] = { 0x43415254, index, status, n };
	write_all(head, sizeof head);
	for (u64 k = 0; k < n; k++) {
		struct slot *s = slot_at(k);
		u32 sh[4] = { s->parent, s->index, 0, s->len };
		write_all(sh, sizeof sh);
		write_all(s->data, s->len);
	}
}

static u64 atoi(const char *s) { u64 v = 0; while (*s) v = v * 10 + *s++ - '0'; return v; }

static void program(u64 *argv, const char *b, u64 index, s64 bundle)
{
	u64 *dirent = (u64 *)(b + 8 + 16 * index);
	char dir[256], *p = dir;
	for (const char *s = (char *)argv[2]; *s;) *p++ = *s++;
	memcpy(p, "/p", 2);
	decimal(p + 2, index);
	if (SYS(NR_MKDIR, dir, 0755) < 0)
		die("vm: mkdir");
	make_fd(TRACE_FD, "trace", SLOT_SIZE * (SLOTS + 1));
	make_fd(IMAGE_FD, "image", 0);
	for (u64 at = 0; at < dirent[1];) {
		s64 n = SYS(NR_WRITE, IMAGE_FD, b + dirent[0] + at, dirent[1] - at);
		if (n <= 0)
			die("vm: image");
		at += n;
	}
	SYS(NR_MMAP, TRACE, SLOT_SIZE * (SLOTS + 1), 3, 0x11, TRACE_FD, 0);
	header()->nslots = 1;
	slot_at(0)->self = (u64)slot_at(0);
	s64 pid = SYS(NR_CLONE, 17, 0, 0, 0, 0);
	if (pid == 0)
		first(argv, dir, (char *)argv[0], bundle);
	if (pid < 0)
		die("vm: fork");
	report(index, end(pid, atoi((char *)argv[3])));
	SYS(NR_MUNMAP, TRACE, SLOT_SIZE * (SLOTS + 1));
	SYS(NR_CLOSE, TRACE_FD);
	SYS(NR_CLOSE, IMAGE_FD);
}

// loopback brings lo up, where it is not.
static void loopback(void)
{
	char ifr[40] = "lo";
	s64 fd = SYS(NR_SOCKET, 2, 2, 0);
	*(short *)(ifr + 16) = 0x41;
	SYS(NR_IOCTL, fd, 0x8914, ifr);
	SYS(NR_CLOSE, fd);
}

static void resume(u64 argc, u64 *argv)
{
	map();
	s64 tid = SYS(NR_GETTID);
	for (u64 k = header()->nslots; k-- > 0;)
		if (slot_at(k)->tid == tid) {
			SYS(NR_ARCH_PRCTL, 0x1002, slot_at(k));
			break;
		}
	CELL(AT_ARGC) = argc;
	CELL(AT_ARGV) = (u64)argv;
	child_main(atoi((char *)argv[1]));
}

void begin(u64 *sp)
{
	u64 argc = sp[0], *argv = sp + 1;
	const char *name = (char *)argv[0];
	if (argc >= 2 && name[0] == 'e' && name[1] == 'x' && name[2] == 'e' && name[3] == 'c' && !name[4])
		resume(argc, argv);
	if (argc < 4)
		die("usage: vm BUNDLE BASE SECONDS [PROGRAM]");
	SYS(NR_CLOSE_RANGE, 3, ~0U, 0); /* what whoever starts the host's run had open */
	s64 fd = SYS(NR_OPEN, argv[1], 0, 0);
	if (fd < 0)
		die("vm: cannot open the bundle");
	loopback();
	static u64 head[2];
	SYS(NR_PREAD, fd, head, 16, 0);
	u64 count = head[0] >> 32, size = 0;
	static char last[16];
	SYS(NR_PREAD, fd, last, 16, 8 + 16 * (count - 1));
	size = ((u64 *)last)[0] + ((u64 *)last)[1];
	char *b = (char *)SYS(NR_MMAP, 0, size, 1, 2, fd, 0);
	if ((s64)b < 0)
		die("vm: cannot map the bundle");
	for (u64 k = 0; k < count; k++)
		if (argc < 5 || atoi((char *)argv[4]) == k)
			program(argv, b, k, fd);
	SYS(NR_EXIT_GROUP, 0);
}
