# needs: redis-server redis-benchmark redis-cli
# time: 100
exec 2>&1
redis-server --port 6399 --bind 127.0.0.1 --unixsocket "$PWD/redis.sock" --save '' --dir . --daemonize no > log &
server=$!
for i in $(seq 100); do redis-cli -p 6399 ping 2>/dev/null | grep -q PONG && break; sleep 0.1; done
redis-cli -p 6399 ping
redis-benchmark -p 6399 -n 3000 -c 20 -q -t ping,set,get,incr,lpush,rpop,sadd,mset | tr '\r' '\n' | grep -c 'requests per second'
redis-benchmark -s redis.sock -n 3000 -c 10 -P 16 -q -t set,get | tr '\r' '\n' | grep -c 'requests per second'
c="redis-cli -p 6399"
$c set k v; $c get k; $c incr n; $c eval 'return redis.call("incrby", "n", 41)' 0; seq 50 | $c -x set big; $c strlen big
$c bgsave; for i in $(seq 100); do $c info persistence | grep -q rdb_bgsave_in_progress:0 && break; sleep 0.1; done
test -s dump.rdb && echo dumped; $c config set appendonly yes; $c set after aof; $c expire k 100; $c ttl k
for i in $(seq 100); do $c info persistence | grep -q aof_rewrite_in_progress:0 && break; sleep 0.1; done
$c shutdown nosave force; wait $server; echo $?
