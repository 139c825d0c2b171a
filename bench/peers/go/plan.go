package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
)

// plan is what one run has to do, from the command line and the files that it names.
type plan struct {
	client, address, mode, out string
	compression, linger        string // of Kafka's clients; without --linger the library's own
	throughput                 bool // --tuning throughput; otherwise latency
	messages, warmup, window   int
	schedule                   []uint64 // nanoseconds from the start (mode ack)
	channels                   []string
	payloads                   []string
}

// total counts the warm-up too.
func (p *plan) total() int { return p.warmup + p.messages }

func (p *plan) channel(message int) string { return p.channels[message%len(p.channels)] }

func (p *plan) payload(message int) string { return p.payloads[message%len(p.payloads)] }

func readPlan(words []string) (*plan, error) {
	given := map[string]string{}
	for ; len(words) >= 2; words = words[2:] {
		given[words[0]] = words[1]
	}
	var failure error
	text := func(name string) string {
		value, ok := given[name]
		if !ok && failure == nil {
			failure = fmt.Errorf("%s is missing", name)
		}
		return value
	}
	number := func(name string, least int) int {
		value, err := strconv.Atoi(text(name))
		if (err != nil || value < least) && failure == nil {
			failure = fmt.Errorf("%s %q: a number of at least %d", name, given[name], least)
		}
		return value
	}
	p := &plan{
		client: text("--client"), address: text("--address"), mode: text("--mode"),
		messages: number("--messages", 1), warmup: number("--warmup", 0), window: number("--window", 1),
	}
	switch tuning := text("--tuning"); tuning {
	case "latency", "throughput":
		p.throughput = tuning == "throughput"
	default:
		return nil, fmt.Errorf("--tuning %q: latency or throughput", tuning)
	}
	if p.compression = given["--compression"]; p.compression == "" {
		p.compression = "none"
	}
	p.linger = given["--linger"]
	for channel := range number("--channels", 1) {
		p.channels = append(p.channels, "rig."+strconv.Itoa(channel))
	}
	if p.mode != "flood" {
		p.out = text("--out")
	}
	bytes := 1
	if p.mode != "subscribe" {
		bytes = number("--bytes", 1)
		text("--payloads")
	}
	if p.mode == "ack" {
		text("--schedule")
	}
	if failure != nil {
		return nil, failure
	}
	return p, p.readFiles(bytes, given["--payloads"], given["--schedule"])
}

func (p *plan) readFiles(bytes int, payloads, schedule string) error {
	if p.mode != "subscribe" {
		content, err := os.ReadFile(payloads)
		if err != nil {
			return err
		}
		for records := string(content); len(records) >= bytes; records = records[bytes:] {
			p.payloads = append(p.payloads, records[:bytes])
		}
		if len(p.payloads) == 0 {
			return fmt.Errorf("--payloads: less than one record of --bytes")
		}
	}
	if p.mode == "ack" {
		words, err := os.ReadFile(schedule)
		if err != nil {
			return err
		}
		for ; len(words) >= 8; words = words[8:] {
			p.schedule = append(p.schedule, binary.LittleEndian.Uint64(words))
		}
		if len(p.schedule) < p.total() {
			return fmt.Errorf("--schedule: %d of %d times", len(p.schedule), p.total())
		}
	}
	return nil
}
