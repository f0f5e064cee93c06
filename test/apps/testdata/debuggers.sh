# needs: gcc gdb strace
# time: 120
# Programs that trace others: strace, gdb, and the sanitizer that looks for leaks.
cat >prog.c <<'C'
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
volatile int total;
int add(int n) { pthread_mutex_lock(&lock); total += n; pthread_mutex_unlock(&lock); return total; }
void *thread(void *a) { for (int i = 0; i < 3; i++) add(1); return 0; }
int main(void) {
	pthread_t t[3];
	for (int i = 0; i < 3; i++) pthread_create(t + i, 0, thread, 0);
	for (int i = 0; i < 3; i++) pthread_join(t[i], 0);
	add(100);
	if (!fork()) execl("/bin/echo", "echo", "child", (char *)0);
	wait(0);
	printf("total %d\n", total);
	return 3;
}
C
gcc -g -O0 -pthread -o prog prog.c

echo "== strace"
strace -f -qq -e trace=umask,getppid,mkdir,rmdir -e signal=none -o calls sh -c 'umask 027; mkdir a; rmdir a; (umask 022)'
sed -E 's/^[0-9]+ *//; s/(getppid\(\)).*/\1/' calls
strace -c -o summary /bin/true && grep -c execve summary
strace -qq -e trace=none -e signal=all sh -c 'kill -USR1 $$' 2>&1 | sed 's/si_pid=[0-9]*/si_pid=P/'
strace -qq -e inject=getppid:retval=77 -e trace=getppid python3 -c 'import os; print(os.getppid())' 2>/dev/null
sleep 100 & pid=$!
timeout 2 strace -qq -p $pid -o attached; kill $pid; wait $pid; echo "still there until then: $?"

echo "== gdb"
cat >script <<'G'
set pagination off
set confirm off
set debuginfod enabled off
set print thread-events off
break main
run
break add if n == 100
continue
print n
print total
bt 2
set var n = 200
stepi
next
delete
tbreak wait
continue
finish
continue
G
gdb -nx -q -batch -x script ./prog 2>&1 | grep -E '^(\$|#|total|child|\[Inferior)' | sed -E 's/0x[0-9a-f]+/ADDR/g; s/process [0-9]+/process P/'
gdb -nx -q -batch -ex 'catch syscall getppid' -ex run -ex 'info registers rax' -ex continue -ex 'p $rax > 0' --args python3 -c 'import os; os.getppid()' 2>&1 | grep -E '^(rax|\$)'

echo "== leaks"
echo 'int main(void) { __builtin_malloc(100); return 0; }' >leak.c
if gcc -O0 -fsanitize=address -o leak leak.c 2>/dev/null; then
	./leak 2>&1 | grep -E 'ERROR|SUMMARY' | sed 's/==[0-9]*==//'
fi
rm -rf ./*
