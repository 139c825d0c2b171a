package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// noProgress is the rig's bound for a program that hears nothing.
	noProgress = 60 * time.Second
	// failedNs stands in --out for a message without an answer.
	failedNs = math.MaxUint64
)

func nowNs() uint64 {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // Linux has this clock.
	return uint64(now.Nano())
}

// sleepUntil sleeps until dueNs on the monotonic clock. An interrupted sleep goes on.
func sleepUntil(dueNs uint64) {
	due := unix.NsecToTimespec(int64(dueNs))
	for dueNs > nowNs() {
		_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &due, nil)
	}
}

func cpuNs() uint64 {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage) // A process may ask for its own.
	return uint64(usage.Utime.Nano() + usage.Stime.Nano())
}

// mark is where the measured part began.
type mark struct{ atNs, cpuNs uint64 }

func markNow() mark { return mark{nowNs(), cpuNs()} }

func (m mark) elapsed() mark { return mark{nowNs() - m.atNs, cpuNs() - m.cpuNs} }

// progress counts messages answered or received; the watchdog reads it.
var progress atomic.Int64

// watch calls stuck when progress has not moved for the given time.
func watch(quiet time.Duration, stuck func()) {
	const look = 250 * time.Millisecond
	for seen, since := progress.Load(), time.Now(); ; time.Sleep(look) {
		if now := progress.Load(); now != seen {
			seen, since = now, time.Now()
		} else if time.Since(since) > quiet {
			stuck()
			return
		}
	}
}

// maxRSSKiB is the high-water mark of this program's own memory: ru_maxrss would begin with that of the process that
// forked it.
func maxRSSKiB() int64 {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		var kib int64
		if _, err := fmt.Sscanf(line, "VmHWM: %d", &kib); err == nil {
			return kib
		}
	}
	return 0
}

func writeWords(path string, words []uint64) error {
	bytes := make([]byte, 0, 8*len(words))
	for _, word := range words {
		bytes = binary.LittleEndian.AppendUint64(bytes, word)
	}
	return os.WriteFile(path, bytes, 0o644)
}

// version is what go.mod pins.
func version(module string) string {
	info, _ := debug.ReadBuildInfo()
	for _, dependency := range info.Deps {
		if dependency.Path == module {
			return strings.TrimPrefix(dependency.Version, "v")
		}
	}
	return ""
}

// result is what a mode leaves behind.
type result struct {
	failed int
	passed mark
}

func (r result) print(p *plan, version string, settings []string) error {
	return json.NewEncoder(os.Stdout).Encode(struct {
		Client   string   `json:"client"`
		Version  string   `json:"version"`
		Settings []string `json:"settings"`
		Messages int      `json:"messages"`
		Failed   int      `json:"failed"`
		Elapsed  uint64   `json:"elapsed_ns"`
		CPU      uint64   `json:"cpu_ns"`
		MaxRSS   int64    `json:"max_rss_kib"`
	}{p.client, version, settings, p.messages, r.failed, r.passed.atNs, r.passed.cpuNs, maxRSSKiB()})
}
