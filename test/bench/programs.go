package main

// time runs a command some times and prints nanoseconds per run.
const timed = "$BENCH/costs time "

// programRows are real programs. The host's caches are warm: a round before
// the counted ones is thrown away. A sandbox's own are cold unless the script
// runs the program once before.
func programRows() []row {
	python := "/usr/bin/python3 -c 'import json, re, socket, subprocess, argparse'"
	node := "node -e 0"
	git := "git --git-dir=$PWD/git --work-tree=/usr/include/linux -c core.fsync=none -c user.name=bench -c user.email=bench@localhost"
	return []row{
		{key: "bash", text: "100 fork+exec from bash", unit: milli, bar: ratio(2.5), needs: []string{"bash"},
			script: timed + "1 bash -c 'for i in {1..100}; do /bin/true; done'"},
		{key: "python", text: "python3 import of 5 modules", unit: milli, bar: ratio(1.7), needs: []string{"/usr/bin/python3"},
			script: python + "\n" + timed + "5 " + python},
		{key: "node", text: "node start", unit: milli, bar: ratio(1.7), needs: []string{"node"},
			script: node + "\n" + timed + "3 " + node},
		{key: "gcc", text: "gcc of 6 files", unit: milli, bar: ratio(1.6), needs: []string{"gcc"},
			script: timed + "1 gcc -O2 -o out $BENCH/c/*.c"},
		{key: "gobuild", text: "go build of a net/http program, warm cache", unit: milli, bar: ratio(1.6), needs: []string{"go"},
			script: "cp -r $BENCH/go go && cd go\n" + timed + "1 go build -o ../out ."},
		{key: "git", text: "git add+commit+status of /usr/include/linux", unit: milli, bar: ratio(2), needs: []string{"git", "/usr/include/linux"},
			script: "git init -q --bare git && git --git-dir=git config core.bare false\n" +
				timed + "1 sh -ec '" + git + " add -A . && " + git + " commit -q -m all && " + git + " status'"},
		{key: "tarout", text: "tar out of /usr/include", unit: milli, bar: ratio(2), needs: []string{"tar"},
			script: timed + "1 tar cf all.tar -C /usr include"},
		{key: "tarin", text: "tar in of /usr/include", unit: milli, bar: ratio(2), needs: []string{"tar"},
			script: "tar cf all.tar -C /usr include\n" + timed + "1 tar xf all.tar"},
		{key: "find", text: "find over /usr", unit: milli, bar: ratio(2), needs: []string{"find"},
			script: timed + "1 find /usr"},
		{key: "find2", text: "find over /usr again", unit: milli, bar: ratio(2), needs: []string{"find"},
			script: "find /usr >/dev/null\n" + timed + "1 find /usr"},
		{key: "sqlite", text: "sqlite, 200 transactions on tmpfs", unit: milli, bar: ratio(1.5), needs: []string{"/usr/bin/python3"},
			script: sqliteScript},
	}
}

// sqliteScript times the transactions alone. They are on tmpfs: a disk's
// flushes would hide everything else natively.
const sqliteScript = `/usr/bin/python3 - <<'END'
import os, shutil, sqlite3, tempfile, time
d = tempfile.mkdtemp(dir='/dev/shm')
db = sqlite3.connect(d + '/db', isolation_level=None)
db.execute('create table t (k integer primary key, v text)')
start = time.monotonic()
for i in range(200):
    db.execute('begin')
    for j in range(5):
        db.execute('insert into t (v) values (?)', ('x' * 100,))
    db.execute('commit')
spent = time.monotonic() - start
assert db.execute('select count(*) from t').fetchone() == (1000,)
db.close()
shutil.rmtree(d)
print(spent * 1e9)
END
`

// serverRows have server and clients both inside, on loopback.
func serverRows() []row {
	return []row{
		{key: "redis", text: "redis GET, 20 clients", unit: perSec, bar: ratio(0.4), needs: []string{"redis-server", "redis-benchmark", "redis-cli"}, script: redisScript},
		{key: "nginx", text: "nginx small file, 16 connections", unit: perSec, bar: ratio(0.35), needs: []string{"nginx"}, script: nginxScript},
		{key: "iperf", text: "iperf3 over loopback", unit: gigabit, bar: ratio(1), needs: []string{"iperf3"}, script: iperfScript},
	}
}

const redisScript = `redis-server --port $PORT --bind 127.0.0.1 --save '' --appendonly no >server.log 2>&1 &
server=$!
trap 'kill $server 2>/dev/null || :; wait $server || :' EXIT
tries=0
until redis-cli -p $PORT ping >/dev/null 2>&1; do
	tries=$((tries+1)); [ $tries -lt 200 ]; sleep 0.05
done
redis-benchmark -p $PORT -t set -n 1000 -c 1 -q >/dev/null
redis-benchmark -p $PORT -t get -n 50000 -c 20 --csv | sed -n 's/^"GET","\([0-9.]*\)".*/\1/p'
`

const nginxScript = `cat >nginx.conf <<END
worker_processes 1;
daemon off;
master_process off;
pid $PWD/pid;
error_log stderr;
events { worker_connections 256; }
http {
	access_log off;
	keepalive_requests 100000000;
	client_body_temp_path $PWD/t1; proxy_temp_path $PWD/t2; fastcgi_temp_path $PWD/t3;
	uwsgi_temp_path $PWD/t4; scgi_temp_path $PWD/t5;
	server { listen 127.0.0.1:$PORT; root $PWD/www; }
}
END
mkdir www
chmod 755 . www
head -c 600 /dev/zero >www/file
nginx -c $PWD/nginx.conf -p $PWD &
server=$!
trap 'kill $server 2>/dev/null || :; wait $server || :' EXIT
$BENCH/load $PORT 16 2
`

const iperfScript = `iperf3 --forceflush -s -1 -B 127.0.0.1 -p $PORT >server.log 2>&1 &
server=$!
trap 'kill $server 2>/dev/null || :; wait $server || :' EXIT
tries=0
until grep -q listening server.log; do
	[ $tries -lt 200 ] || break
	tries=$((tries+1)); sleep 0.02
done
iperf3 -c 127.0.0.1 -p $PORT -t 2 -J >out.json || { cat server.log out.json >&2; exit 1; }
awk '/"sum_received"/ { sum = 1 } sum && /bits_per_second/ { gsub(/[^0-9.e+]/, "", $2); printf "%.0f\n", $2; exit }' out.json
`
