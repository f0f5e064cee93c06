# needs: gcc make
# time: 90
exec 2>&1
cp -r "$APPS/c" . && cd c
make -s -j4 && ./prog 10 && ./prog-static 20; make -q; echo "up to date $?"
touch stack.h; make -s -n | grep -c stack.c; make -s check
echo 'int main(void) { return x; }' > bad.c; gcc -c bad.c 2>&1 | grep -c error; gcc -c nosuch.c 2>/dev/null; echo $?
echo 'int main(){int *p=0;return *p;}' | gcc -x c -o crash - && { ./crash; } 2>/dev/null; echo $?
gcc -O2 -g -pthread -o threads threads.c && ./threads
ar t libstack.a; nm prog | grep -c push; objdump -d stack.o | grep -c ret; strip prog && ./prog 3
echo 'int main(){return 3;}' | gcc -pipe -fsanitize=undefined -x c -o u - && ./u; echo $?
make -s clean; ls
