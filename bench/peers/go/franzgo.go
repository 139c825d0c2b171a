package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const kafkaTopic = "rig"

// franzGo is franz-go; it produces alone. Each message has its channel's name as its key, and the library's own
// partitioner places it.
type franzGo struct {
	plan           *plan
	client         *kgo.Client
	payloads, keys [][]byte
	words          []string
}

func newFranzGo(p *plan) (client, error) {
	f := &franzGo{plan: p, words: []string{"compression " + p.compression}}
	for _, payload := range p.payloads {
		f.payloads = append(f.payloads, []byte(payload))
	}
	for _, channel := range p.channels {
		f.keys = append(f.keys, []byte(channel))
	}
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	codec, ok := codecs[p.compression]
	if !ok {
		return nil, fmt.Errorf("--compression %q: none, lz4 or zstd", p.compression)
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(p.address), kgo.DefaultProduceTopic(kafkaTopic), kgo.ProducerBatchCompression(codec),
	}
	if p.linger != "" {
		milliseconds, err := strconv.ParseFloat(p.linger, 64)
		if err != nil {
			return nil, fmt.Errorf("--linger %q: milliseconds", p.linger)
		}
		options = append(options, kgo.ProducerLinger(time.Duration(milliseconds*float64(time.Millisecond))))
		f.words = append(f.words, "ProducerLinger "+p.linger+" ms")
	}
	opened, err := kgo.NewClient(options...)
	if err != nil {
		return nil, err
	}
	f.client = opened
	return f, opened.Ping(context.Background())
}

func (f *franzGo) version() string { return version("github.com/twmb/franz-go") }

func (f *franzGo) settings() []string { return append([]string{"Produce with a promise"}, f.words...) }

func (f *franzGo) record(message int) *kgo.Record {
	return &kgo.Record{Key: f.keys[message%len(f.keys)], Value: f.payloads[message%len(f.payloads)]}
}

func (f *franzGo) hand(message int, settle func(int, error)) {
	f.client.Produce(context.Background(), f.record(message), func(_ *kgo.Record, err error) { settle(message, err) })
}

// pipeline hands all over, as fast as the library takes them, and waits for the last answer.
func (f *franzGo) pipeline(from, to int) int {
	var open sync.WaitGroup
	var failed atomic.Int64
	open.Add(to - from)
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			failed.Add(1)
		}
		progress.Add(1)
		open.Done()
	}
	for message := from; message < to; message++ {
		f.client.Produce(context.Background(), f.record(message), promise)
	}
	open.Wait()
	return int(failed.Load())
}

func (f *franzGo) publish(message int) error {
	return f.client.ProduceSync(context.Background(), f.record(message)).FirstErr()
}

func (f *franzGo) subscribe(context.Context, func(), func(string)) error {
	return errors.New("franz-go: produces alone")
}
