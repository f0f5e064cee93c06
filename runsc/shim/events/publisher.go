package events

import (
	"context"
	"net"
	"sync"
	"time"

	eventsapi "github.com/containerd/containerd/api/services/ttrpc/events/v1"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Bounds of what waits for containerd.
const (
	maxQueued  = 4096
	maxWait    = 2 * time.Minute
	callTime   = 5 * time.Second
	retryEvery = 500 * time.Millisecond
)

// A Publisher sends events of one namespace.
type Publisher struct {
	// immutable
	address   string
	namespace string
	warn      func(format string, args ...any)
	wake      chan struct{}
	done      chan struct{}

	mu sync.Mutex
	// guarded by mu
	queue  []*types.Envelope
	closed bool
}

// NewPublisher sends to containerd's ttrpc socket. warn gets what cannot be sent.
func NewPublisher(address, namespace string, warn func(string, ...any)) *Publisher {
	p := &Publisher{address: address, namespace: namespace, warn: warn, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go p.run()
	return p
}

// Publish puts an event into the queue.
func (p *Publisher) Publish(topic string, event proto.Message) {
	value, err := proto.Marshal(event)
	if err != nil {
		p.warn("event %s: %v", topic, err)
		return
	}
	e := &types.Envelope{
		Timestamp: timestamppb.Now(),
		Namespace: p.namespace,
		Topic:     topic,
		// containerd names types without a host.
		Event: &anypb.Any{TypeUrl: string(event.ProtoReflect().Descriptor().FullName()), Value: value},
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) >= maxQueued {
		p.warn("event %s is dropped: %d others wait", topic, len(p.queue))
		return
	}
	p.queue = append(p.queue, e)
	p.signal()
}

func (p *Publisher) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Close sends what is queued, for a bounded time.
func (p *Publisher) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.signal()
	select {
	case <-p.done:
	case <-time.After(callTime):
	}
}

// next returns the first of the queue, which stays in it, or nil at the end.
func (p *Publisher) next() *types.Envelope {
	for {
		p.mu.Lock()
		if len(p.queue) > 0 {
			e := p.queue[0]
			p.mu.Unlock()
			return e
		}
		closed := p.closed
		p.mu.Unlock()
		if closed {
			return nil
		}
		<-p.wake
	}
}

func (p *Publisher) run() {
	defer close(p.done)
	var client *ttrpc.Client
	for {
		e := p.next()
		if e == nil {
			break
		}
		err := p.send(&client, e)
		if err != nil {
			if time.Since(e.Timestamp.AsTime()) < maxWait {
				time.Sleep(retryEvery)
				continue
			}
			p.warn("event %s is dropped: %v", e.Topic, err)
		}
		p.mu.Lock()
		p.queue = p.queue[1:]
		p.mu.Unlock()
	}
	if client != nil {
		client.Close()
	}
}

// send sends one event, over a new connection where there is none.
func (p *Publisher) send(client **ttrpc.Client, e *types.Envelope) error {
	if *client == nil {
		conn, err := net.DialTimeout("unix", p.address, callTime)
		if err != nil {
			return err
		}
		*client = ttrpc.NewClient(conn)
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	_, err := eventsapi.NewTTRPCEventsClient(*client).Forward(ctx, &eventsapi.ForwardRequest{Envelope: e})
	if err != nil {
		(*client).Close()
		*client = nil
	}
	return err
}
