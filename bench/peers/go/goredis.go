package main

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// autoFlushDelay is what go-redis' documentation recommends for most workloads; 0 is its lowest latency.
	autoFlushDelay = 100 * time.Microsecond
	// receiveTimeout bounds one wait for a message, after which the end is looked for.
	receiveTimeout = 500 * time.Millisecond
)

type goRedis struct {
	plan   *plan
	client *redis.Client
	auto   *redis.AutoPipeliner
	// payloads are boxed once: Publish takes any value.
	payloads []any
	handed   chan handedOver
}

type handedOver struct {
	message int
	command *redis.IntCmd
	settle  func(int, error)
}

func newGoRedis(p *plan) (client, error) {
	g := &goRedis{plan: p, client: redis.NewClient(&redis.Options{Addr: p.address})}
	for _, payload := range p.payloads {
		g.payloads = append(g.payloads, payload)
	}
	options := redis.DefaultAutoPipelineOptions()
	if p.throughput {
		options.MaxFlushDelay = autoFlushDelay
	}
	// Half-duplex holds each batch until the one before it is answered: an open loop would wait.
	options.FullDuplex = g.isFullDuplex()
	auto, err := g.client.AsyncAutoPipelineWithOptions(options)
	if err != nil {
		return nil, err
	}
	g.auto = auto
	if p.mode == "ack" {
		g.handed = make(chan handedOver, p.total()) // bounded by the run: handing over never waits
		go g.awaitAnswers()
	}
	return g, g.client.Ping(context.Background()).Err()
}

func (g *goRedis) isFullDuplex() bool { return g.plan.mode == "ack" && !g.plan.throughput }

func (g *goRedis) version() string { return version("github.com/redis/go-redis/v9") }

func (g *goRedis) settings() []string {
	if g.plan.mode == "flood" && g.plan.throughput {
		return []string{"Pipeline"}
	}
	if g.plan.mode == "subscribe" {
		return []string{"PubSub.ReceiveTimeout"}
	}
	settings := []string{"AsyncAutoPipeline", "one ordered stream"}
	if g.isFullDuplex() {
		settings = append(settings, "FullDuplex")
	}
	if g.plan.throughput {
		settings = append(settings, "MaxFlushDelay "+autoFlushDelay.String())
	}
	return settings
}

func (g *goRedis) boxed(message int) any { return g.payloads[message%len(g.payloads)] }

func (g *goRedis) submit(message int) *redis.IntCmd {
	return g.auto.Publish(context.Background(), g.plan.channel(message), g.boxed(message))
}

func (g *goRedis) publish(message int) error { return g.submit(message).Err() }

// hand submits; the answers come in the order of the submissions, and one goroutine waits for them.
func (g *goRedis) hand(message int, settle func(int, error)) {
	g.handed <- handedOver{message, g.submit(message), settle}
}

func (g *goRedis) awaitAnswers() {
	for one := range g.handed {
		one.settle(one.message, one.command.Err())
	}
}

func (g *goRedis) pipeline(from, to int) (failed int) {
	pipeline := g.client.Pipeline()
	for message := from; message < to; message++ {
		pipeline.Publish(context.Background(), g.plan.channel(message), g.boxed(message))
	}
	answers, _ := pipeline.Exec(context.Background()) // each answer has its own error
	for _, answer := range answers {
		if answer.Err() != nil {
			failed++
		}
	}
	return failed
}

func (g *goRedis) subscribe(ctx context.Context, ready func(), received func(string)) error {
	subscription := g.client.Subscribe(ctx, g.plan.channels...)
	defer subscription.Close()
	for range g.plan.channels {
		if _, err := subscription.Receive(ctx); err != nil {
			return err
		}
	}
	ready()
	for ctx.Err() == nil {
		found, err := subscription.ReceiveTimeout(ctx, receiveTimeout)
		if message, ok := found.(*redis.Message); ok {
			received(message.Payload)
		} else if err != nil && !isTimeout(err) {
			return err
		}
	}
	return nil
}

func isTimeout(err error) bool {
	timeout, ok := err.(interface{ Timeout() bool })
	return ok && timeout.Timeout()
}
