# needs: go
# time: 110
exec 2>&1
cp -r "$APPS/gomod" . && cd gomod
go version | cut -d' ' -f1-2; go env GOOS
CGO_ENABLED=0 go build -o hello . && ./hello one two && ./hello fail; echo $?
go vet ./... && go test ./... | awk '{ print $1, $2 }'; go list ./...
CGO_ENABLED=0 go run . run; gofmt -l .; go mod verify
