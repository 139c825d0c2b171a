// Command peers is rueidis, go-redis and franz-go as clients of the p99 rig: bench/peers/README.md has the contract.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// lead lies between the start of the schedule and its first message.
	lead = 10 * time.Millisecond
	// quiet is how long a subscriber waits for one more message.
	quiet = 3 * time.Second
)

// client is a library under measurement.
type client interface {
	version() string
	settings() []string
	// hand gives one message to the library and does not wait; settle hears of its answer.
	hand(message int, settle func(message int, err error))
	// pipeline sends messages as one pipeline and answers how many failed.
	pipeline(from, to int) int
	// publish sends one message and waits for its answer.
	publish(message int) error
	// subscribe calls ready once every channel is confirmed, then received with each payload until ctx ends.
	subscribe(ctx context.Context, ready func(), received func(payload string)) error
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	p, err := readPlan(os.Args[1:])
	if err != nil {
		return err
	}
	connect := map[string]func(*plan) (client, error){
		"rueidis": newRueidis, "go-redis": newGoRedis, "franz-go": newFranzGo,
	}[p.client]
	mode := map[string]func(*plan, client) (result, error){"ack": ack, "flood": flood, "subscribe": subscribe}[p.mode]
	if connect == nil || mode == nil {
		return fmt.Errorf("--client %s --mode %s: rueidis, go-redis or franz-go; ack, flood or subscribe", p.client, p.mode)
	}
	processors := runtime.GOMAXPROCS(0)
	if p.mode == "ack" {
		// The pacer sleeps in the kernel and keeps its processor meanwhile: the others get as many as without it.
		processors++
		runtime.GOMAXPROCS(processors)
	}
	go watch(noProgress, func() {
		fmt.Fprintf(os.Stderr, "no progress for %v: gave up\n", noProgress)
		os.Exit(1)
	})
	c, err := connect(p)
	if err != nil {
		return err
	}
	found, err := mode(p, c)
	if err != nil {
		return err
	}
	return found.print(p, c.version(), append(c.settings(), "GOMAXPROCS "+strconv.Itoa(processors)))
}

// ack is open loop: this goroutine, on a thread of its own, paces and hands over; it waits for no answer.
func ack(p *plan, c client) (result, error) {
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return result{}, err
	}
	latencies, late := make([]uint64, p.total()), make([]uint64, p.total())
	for message := range latencies {
		latencies[message] = failedNs
	}
	var open sync.WaitGroup
	open.Add(p.total())
	var begin mark
	var startNs uint64
	settle := func(message int, err error) {
		if err == nil {
			latencies[message] = nowNs() - startNs - p.schedule[message]
		}
		progress.Add(1)
		open.Done()
	}
	begin = markNow()
	startNs = nowNs() + uint64(lead)
	for message := range p.total() {
		if message == p.warmup {
			begin = markNow()
		}
		dueNs := startNs + p.schedule[message]
		sleepUntil(dueNs)
		late[message] = nowNs() - dueNs
		c.hand(message, settle)
	}
	open.Wait()
	passed := begin.elapsed()
	if err := writeWords(p.out, latencies[p.warmup:]); err != nil {
		return result{}, err
	}
	return result{failures(latencies[p.warmup:]), passed}, writeWords(p.out+".late", late[p.warmup:])
}

func failures(latencies []uint64) (failed int) {
	for _, latency := range latencies {
		if latency == failedNs {
			failed++
		}
	}
	return failed
}

// flood is the warm-up and then the counted messages, as many as it takes.
func flood(p *plan, c client) (result, error) {
	send := inGoroutines
	if p.throughput {
		send = inPipelines
	}
	send(p, c, 0, p.warmup)
	begin := markNow()
	failed := send(p, c, p.warmup, p.total())
	return result{failed, begin.elapsed()}, nil
}

// inPipelines sends one pipeline of the window's size after the other.
func inPipelines(p *plan, c client, from, to int) (failed int) {
	for ; from < to; from += p.window {
		failed += c.pipeline(from, min(from+p.window, to))
		progress.Add(1)
	}
	return failed
}

// inGoroutines has a goroutine for each message of the window; the library puts together what they say.
func inGoroutines(p *plan, c client, from, to int) int {
	var next, failed atomic.Int64
	next.Store(int64(from))
	var open sync.WaitGroup
	for range p.window {
		open.Go(func() {
			for message := next.Add(1) - 1; message < int64(to); message = next.Add(1) - 1 {
				if c.publish(int(message)) != nil {
					failed.Add(1)
				}
				progress.Add(1)
			}
		})
	}
	open.Wait()
	return int(failed.Load())
}

func subscribe(p *plan, c client) (result, error) {
	ctx, end := context.WithCancel(context.Background())
	latencies := make([]uint64, 0, p.total())
	begin := markNow()
	var passed mark
	received := func(payload string) {
		now := nowNs()
		latency := uint64(failedNs)
		if len(payload) >= 16 {
			if due, err := strconv.ParseUint(payload[:16], 16, 64); err == nil {
				latency = now - min(due, now)
			}
		}
		if len(latencies) == p.total() {
			return
		}
		latencies = append(latencies, latency)
		if len(latencies) == 1 {
			go watch(quiet, end)
		}
		progress.Add(1)
		if len(latencies) == p.warmup {
			begin = markNow()
		}
		if len(latencies) == p.total() {
			passed = begin.elapsed()
			end()
		}
	}
	err := c.subscribe(ctx, func() { fmt.Println("ready") }, received)
	if err != nil && ctx.Err() == nil {
		return result{}, err
	}
	if len(latencies) < p.total() {
		passed = begin.elapsed()
	}
	for len(latencies) < p.total() {
		latencies = append(latencies, failedNs)
	}
	return result{failures(latencies[p.warmup:]), passed}, writeWords(p.out, latencies[p.warmup:])
}
