# cordon. Every target works on a fresh Debian-like machine that has Go; what
# else is missing (a C compiler, pkg-config, libseccomp) is installed by apt for
# root, and named for others.

GO       ?= go
T        ?= 30s
CALLS    ?= 10m
RUNSC    := bin/runsc
SHIM     := bin/containerd-shim-runsc-v1
GOBUILD  := CGO_ENABLED=1 $(GO) build -trimpath -tags netgo,osusergo
LDFLAGS  := -s -w -linkmode external -extldflags -static

.PHONY: all run test test-clients test-vm bench profile fuzz docs check build deps clean

all: build

# run: build, then a shell and python3 in a sandbox, saying what it did.
run: build
	@scripts/run.sh $(RUNSC)

build: deps
	$(GOBUILD) -ldflags '$(LDFLAGS)' -o $(RUNSC) ./cmd/runsc
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o $(SHIM) ./cmd/containerd-shim-runsc-v1

deps:
	@scripts/deps.sh

# test: every test that this machine can run; ends with "N passed, N failed, N skipped".
test: build
	@GO="$(GO)" scripts/test.sh

# test-clients: runsc under containerd, Docker, Podman and the kubelet's interface,
# as far as they are installed (RUN=expression takes some tests only; needs root).
test-clients: build
	$(GO) test ./test/clients -count=1 -timeout 60m $(if $(RUN),-run '$(RUN)') -v -args -runsc $(CURDIR)/$(RUNSC) -shim $(CURDIR)/$(SHIM)

# test-vm: what needs systemd and control groups of version 2, in a virtual machine
# without acceleration (test/vm; needs root, qemu and Debian's kernel, else skips).
test-vm: build
	@GO="$(GO)" test/vm/test.sh $(CURDIR)/$(RUNSC)

# bench: costs side by side with native; PEER=path adds another runtime that
# has a do command, ROWS=getpid,fork takes some rows only and ROWS=growth costs
# as work grows, ROWS=containers OCI commands beside runc, PLATFORM=ptrace one platform, BENCHFLAGS='-json out.json' more.
bench: build
	@$(GO) run ./test/bench -runsc $(RUNSC) $(if $(PLATFORM),-platform $(PLATFORM)) $(if $(PEER),-peer '$(PEER)') $(if $(ROWS),-rows $(ROWS)) $(BENCHFLAGS)

# profile: where the CPU time of one row of bench goes (ROW=find, several with
# commas; needs perf): tables on the terminal and in bin/profile/ROW.txt, stacks
# for flame graphs in ROW.folded. The binary it runs has its symbols.
profile: deps
	$(GOBUILD) -ldflags '-linkmode external -extldflags -static' -o bin/runsc-profile ./cmd/runsc
	@$(GO) run ./test/bench -runsc bin/runsc-profile -profile bin/profile -warm 0 -idle-seconds 5 $(if $(PLATFORM),-platform $(PLATFORM)) -rows $(or $(ROW),$(ROWS),$(error name a row of docs/bench.md: make profile ROW=find)) $(BENCHFLAGS)

# fuzz: each fuzz target for T (T=30s), then random system calls in sandboxes
# for CALLS (CALLS=10m; SEED=n starts from a seed).
fuzz: build
	@GO="$(GO)" scripts/fuzz.sh $(T)
	$(GO) run ./test/fuzz/syscalls -runsc $(RUNSC) -t $(CALLS) $(if $(SEED),-seed $(SEED))

# docs: write the generated pages (docs/syscalls.md, docs/locks.md).
docs:
	@GO="$(GO)" scripts/docs.sh

# check: formatting, vet, style and layers; no privileges.
check: deps
	@GO="$(GO)" scripts/check.sh

clean:
	rm -rf bin
