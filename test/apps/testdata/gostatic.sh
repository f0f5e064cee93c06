# needs: go
# time: 90
# A static binary of Go's, without its tool.
exec 2>&1
cp -r "$APPS/gomod" . && cd gomod
CGO_ENABLED=0 go build -ldflags '-s -w' -o hello . && ./hello x; echo $?
for procs in 1 2 8; do GOMAXPROCS=$procs ./hello; done
GODEBUG=asyncpreemptoff=1 ./hello | wc -l
