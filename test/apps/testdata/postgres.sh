# needs: postgres initdb pg_ctl pgbench su
# time: 120
# A server with a journal, shared memory and a process for each client.
id postgres >/dev/null 2>&1 || exit 0
d=$(mktemp -d /tmp/postgres.XXXXXX) && chown postgres "$d"
as() { su postgres -c "$1"; }
as "initdb -D $d/data >/dev/null 2>&1"; echo "initdb $?"
as "pg_ctl -D $d/data -w -l $d/log -o '-k $d -h \"\"' start >/dev/null"; echo "start $?"
as "pgbench -q -h $d -i -s 1 postgres >/dev/null 2>&1"; echo "fill $?"
as "pgbench -h $d -c 4 -j 2 -t 50 postgres 2>/dev/null" | grep -E 'processed|failed'
as "psql -h $d -Atc 'select count(*) from pgbench_history' postgres"
as "pg_ctl -D $d/data -m fast -w stop >/dev/null"; echo "stop $?"
rm -rf "$d"
