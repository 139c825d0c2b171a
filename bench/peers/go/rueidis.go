package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// flushDelay is what rueidis' documentation proposes for less CPU under load.
const flushDelay = 20 * time.Microsecond

type rueidisClient struct {
	plan   *plan
	client rueidis.Client
}

func newRueidis(p *plan) (client, error) {
	option := rueidis.ClientOption{
		InitAddress:       []string{p.address},
		DisableCache:      true, // nothing is cached, and old servers know no tracking
		AlwaysPipelining:  true,
		PipelineMultiplex: -1, // one connection, so that a channel keeps its order
	}
	if p.throughput {
		option.MaxFlushDelay = flushDelay
	}
	c, err := rueidis.NewClient(option)
	return &rueidisClient{p, c}, err
}

func (r *rueidisClient) version() string { return version("github.com/redis/rueidis") }

func (r *rueidisClient) settings() []string {
	settings := []string{"AlwaysPipelining", "PipelineMultiplex -1 (one connection)", "DisableCache"}
	if r.plan.throughput {
		settings = append(settings, "MaxFlushDelay "+flushDelay.String())
	}
	return settings
}

func (r *rueidisClient) command(message int) rueidis.Completed {
	return r.client.B().Publish().Channel(r.plan.channel(message)).Message(r.plan.payload(message)).Build()
}

func (r *rueidisClient) publish(message int) error {
	return r.client.Do(context.Background(), r.command(message)).Error()
}

func (r *rueidisClient) hand(message int, settle func(int, error)) {
	go func() { settle(message, r.publish(message)) }()
}

func (r *rueidisClient) pipeline(from, to int) (failed int) {
	commands := make(rueidis.Commands, 0, to-from)
	for message := from; message < to; message++ {
		commands = append(commands, r.command(message))
	}
	for _, answer := range r.client.DoMulti(context.Background(), commands...) {
		if answer.Error() != nil {
			failed++
		}
	}
	return failed
}

func (r *rueidisClient) subscribe(ctx context.Context, ready func(), received func(string)) error {
	var confirmed atomic.Int64
	ctx = rueidis.WithOnSubscriptionHook(ctx, func(rueidis.PubSubSubscription) {
		if confirmed.Add(1) == int64(len(r.plan.channels)) {
			ready()
		}
	})
	command := r.client.B().Subscribe().Channel(r.plan.channels...).Build()
	return r.client.Receive(ctx, command, func(message rueidis.PubSubMessage) { received(message.Message) })
}
