# needs: find sort xargs awk
# time: 110
# bundle
exec 2>&1
# A tree of 10,000 files.
mkdir tree && cd tree
for d in $(seq -w 0 99); do mkdir -p d$d; done
seq -w 0 9999 | awk '{ f = "d" substr($1,3,2) "/f" $1; print "file " $1 > f; close(f) }'
find . -type f | wc -l
find . -type f -print0 | sort -z | xargs -0 cat | sha256sum
find . -name '*77' | sort | head -n 5
du -s --apparent-size -b d00 | cut -f1 >/dev/null
ls | wc -l; ls -U d42 | wc -l; ls -lR | awk '{ s += $5 } END { print s > 0 }'
grep -r 'file 0123' . | sort
cp -a . ../copy && diff -r . ../copy && echo same
cd ../copy
find . -name 'f*5' -delete; find . -type f | wc -l
find . -type f -name 'f*3' -exec mv {} {}.moved \; -quit; find . -name '*.moved' | wc -l
for d in d0*; do ln -s $d link-$d; ln $d/$(ls $d | head -n1) hard-$d; done
ls -l | awk '/^l/ { print $9, $10, $11 }'
stat -c '%h %F %a' hard-d00 link-d00
chmod -R u=rwX,go= . ; find . ! -perm 600 ! -type l -type f | wc -l
touch -d '2001-02-03 04:05:06' stamp; stat -c '%y %s' stamp; date -r stamp +%s
cd ..; rm -rf copy; ls
# The usual tools.
dd if=/dev/zero bs=64k count=40 2>/dev/null | sha1sum; dd if=/dev/urandom bs=1 count=33 2>/dev/null | wc -c
head -c 300000 /dev/zero | split -b 100000 - part-; wc -c part-* | tail -n1; cat part-* | md5sum
seq 30000 | sort -R --random-source=/dev/zero | sort -n | uniq | tail -n1
seq 200000 | sort -rn -S 1M | head -n1
seq 100 | tee t1 t2 | tac | head -n1; cmp t1 t2 && echo cmp
truncate -s 1M sparse; stat -c '%s %b' sparse; df . | wc -l
mktemp -d -p . XXXXXX | wc -c; realpath -m ./a/../b | sed "s|$PWD|.|"; readlink -f t1 | sed "s|$PWD|.|"
mkfifo fifo; (echo through the fifo > fifo &) ; cat fifo
install -m 755 t1 installed; test -x installed && echo x
comm -12 <(seq 1 10) <(seq 5 15) | paste -sd,; join <(seq 3) <(seq 2 4); factor 123456789
echo text > followed; timeout 0.5 tail -f followed; echo $?
nproc --all >/dev/null && echo nproc; id -u; uname -s; env -i A=1 env
shuf -i 1-50 | sort -n | md5sum; base64 <<<abc | base64 -d; nice -n 5 nice; { timeout -s KILL 0.2 sleep 9; } 2>/dev/null; echo $?
sync; flock t1 echo locked; ls -la /proc/self/fd/0 | awk '{print $1}'; cat /proc/self/comm; test -c /dev/null && echo dev
