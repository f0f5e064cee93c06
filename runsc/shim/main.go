package shim

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"cordon/runsc/shim/driver"
	"cordon/runsc/shim/events"
	"cordon/runsc/shim/metrics"

	"github.com/containerd/containerd/api/types"
	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Name is what containerd calls the runtime.
const Name = "io.containerd.runsc.v1"

// A call is a command line of containerd's.
type call struct {
	id, namespace, address, publishBinary, bundle string
	debug, info, version                          bool
	ttrpcAddress                                  string
}

// Main performs a command line (without the program's name) and returns the exit
// code.
func Main(args []string) int {
	c := &call{ttrpcAddress: os.Getenv("TTRPC_ADDRESS")}
	fs := flag.NewFlagSet("containerd-shim-runsc-v1", flag.ContinueOnError)
	fs.StringVar(&c.id, "id", "", "the container")
	fs.StringVar(&c.namespace, "namespace", "", "containerd's namespace")
	fs.StringVar(&c.address, "address", "", "containerd's socket")
	fs.StringVar(&c.publishBinary, "publish-binary", "", "containerd's binary; events go to its ttrpc socket instead")
	fs.StringVar(&c.bundle, "bundle", "", "the bundle, for delete")
	fs.BoolVar(&c.debug, "debug", false, "log more")
	fs.BoolVar(&c.info, "info", false, "describe the runtime, as containerd asks for it")
	fs.BoolVar(&c.version, "v", false, "print the version")
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case c.version:
		fmt.Println(Name)
		return 0
	case c.info:
		err = c.describe(os.Stdin, os.Stdout)
	case c.namespace == "" || c.id == "":
		err = errors.New("it is started by containerd, with --namespace and --id")
	case fs.Arg(0) == "start":
		err = c.start(args)
	case fs.Arg(0) == "delete":
		err = c.delete()
	case fs.NArg() == 0:
		err = c.serve()
	default:
		err = fmt.Errorf("unknown command %q", fs.Arg(0))
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "containerd-shim-runsc-v1: %v\n", err)
		return 1
	}
	return 0
}

// listenerFD is where the shim finds its listening socket.
const listenerFD = 3

// serve is the shim.
func (c *call) serve() error {
	logger := &log{debug: c.debug, id: c.id, w: os.Stderr}
	if err := openLogFIFO(); err != nil {
		return err
	}
	// A reader of anything may go away.
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP)
	f := os.NewFile(listenerFD, "listener")
	l, err := net.FileListener(f)
	f.Close()
	if err != nil {
		return fmt.Errorf("the listening socket: %w", err)
	}
	reaper, err := driver.NewReaper()
	if err != nil {
		return err
	}
	rpc, err := ttrpc.NewServer(ttrpc.WithServerHandshaker(ttrpc.UnixSocketRequireSameUser()))
	if err != nil {
		return err
	}
	ends := make(chan struct{})
	s := &server{
		namespace: c.namespace, log: logger, reaper: reaper, version: metrics.HostVersion(),
		events:     events.NewPublisher(c.ttrpcAddress, c.namespace, logger.warnf),
		shutdown:   func() { close(ends) },
		containers: map[string]*container{},
	}
	register(rpc, s)
	failed := make(chan error, 1)
	go func() { failed <- rpc.Serve(context.Background(), l) }()
	select {
	case <-ends:
	case err := <-failed:
		return err
	}
	// The answer to Shutdown is on its way.
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := rpc.Shutdown(ctx); err != nil {
		rpc.Close()
	}
	s.events.Close()
	os.Remove(l.Addr().String())
	return nil
}

// describe answers containerd's question what the runtime supports, with the
// runtime's options on standard input.
func (c *call) describe(in io.Reader, out io.Writer) error {
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	var any *anypb.Any
	if len(text) > 0 {
		any = &anypb.Any{}
		if err := proto.Unmarshal(text, any); err != nil {
			return fmt.Errorf("the options: %w", err)
		}
	}
	o, err := readOptions(any, c.namespace)
	if err != nil {
		return err
	}
	if o.Reaper, err = driver.NewReaper(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	features, err := o.Features(ctx)
	if err != nil {
		return err
	}
	info, err := proto.Marshal(&types.RuntimeInfo{
		Name: Name, Version: &types.RuntimeVersion{Version: "1.0.0"}, Options: any,
		Features: &anypb.Any{TypeUrl: "types.containerd.io/opencontainers/runtime-spec/1/features/Features", Value: features},
	})
	if err != nil {
		return err
	}
	_, err = out.Write(info)
	return err
}

// delete clears up after a shim that is gone.
func (c *call) delete() error {
	bundle := c.bundle
	if bundle == "" {
		dir, err := os.Getwd()
		if err != nil {
			return err
		}
		bundle = dir
	}
	return deleteLeft(bundle, c.id, c.namespace, os.Stdout)
}
