package main

import (
	"context"
	"fmt"
	"time"
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

// scenario is one load or fault, run over each of its protocols by itself.
type scenario struct {
	name      string
	about     string
	protocols []protocol
	run       func(context.Context, *trial) error
}

var scenarios = []scenario{
	{"slow", "connections that send one byte a second", all, slow},
	{"claims", "senders that claim 5 MiB and send nothing", all, claims},
	{"large", "1 MiB deliveries at the same time, the budget raised", all, large},
	{"surplus", "more at the same time than the budget holds", all, surplus},
	{"flood", "forgeries at full rate", all, flood},
	{"upstream", "an application that stalls, resets, answers garbage, answers too early", all, upstreamFaults},
	{"reload", "a new configuration every second", all, reload},
	{"vanish", "senders that go away at every stage", all, vanish},
	{"inbox-kill", "an inbox, and the gateway killed at random moments", []protocol{mixed}, inboxKill},
	{"inbox-disk", "an inbox, and its disk full in the middle", []protocol{mixed}, inboxDisk},
	{"inbox-damage", "an inbox that is damaged while it is closed", []protocol{h1}, inboxDamage},
	{"inbox-reload", "an inbox, and a new configuration every second", all, inboxReload},
	{"inbox-storm", "an inbox, and all that at once, with senders that hang up and little room", []protocol{mixed}, inboxStorm},
	{"inbox-early", "an inbox that answers while the application works", all, inboxEarly},
	{"inbox-long", "an inbox that keeps and delivers much, with reloads", []protocol{h1}, inboxLong},
	{"inbox-backlog", "an inbox in which very many wait", []protocol{h1}, inboxBacklog},
	{"inbox-churn", "an inbox that is filled and emptied", []protocol{h1}, inboxChurn},
	{"inbox-redis", "two gateways with an inbox each, and their Redis hangs and loses all", []protocol{h1}, inboxRedis},
	{"steady", "full rate for minutes, all protocols together", []protocol{mixed}, steady},
}

// extent is how much of everything there is.
type extent struct {
	connections int           // slow ones
	claims      int           // senders that claim and send nothing
	bodies      int           // of 1 MiB at the same time
	budget      int           // in MiB, for more bodies than it holds
	load        time.Duration // of each measurement with a load and without
	reloading   time.Duration // under new configurations
	slack       float64       // for memory, where bodies are few beside the process
	steady      time.Duration // at full rate
	sampled     time.Duration // between two looks at memory meanwhile
	growth      float64       // at most, meanwhile
	times       bool          // judges how long honest senders wait, which a busy machine decides
	history     int           // entries
	faults      int           // deliveries to each faulty application
	rounds      int           // of killing the gateway
	damages     int           // of an inbox in each way
	backlog     int           // deliveries that wait
	churn       int           // MiB of an inbox
	early       int           // senders that are answered while the application works
	kept        int           // deliveries, over all turns
	turns       int           // of the application, down and up
}

var (
	whole = extent{
		connections: 10_000, claims: 1000, bodies: 1000, budget: 256, load: 10 * time.Second, slack: 1,
		reloading: 30 * time.Second, steady: 10 * time.Minute, sampled: 10 * time.Second, growth: 1.1, times: true, history: 100_000, faults: 200, rounds: 200, damages: 20, early: 100, backlog: 100_000, churn: 128, kept: 10_000, turns: 100,
	}
	small = extent{
		connections: 100, claims: 50, bodies: 48, budget: 16, load: time.Second, slack: 3,
		reloading: 3 * time.Second, steady: 6 * time.Second, sampled: 200 * time.Millisecond, growth: 1.5, history: 5000, faults: 16, rounds: 3, damages: 1, early: 8, backlog: 1000, churn: 8, kept: 120, turns: 3,
	}
)

// trial is a scenario over one protocol.
type trial struct {
	binary   string
	protocol protocol
	extent   extent
	print    func(row)
}

// row is one line of the report.
type row struct {
	protocol protocol
	done     string
	measured string
	expected string
	ok       bool
}

func (r row) String() string {
	mark := "ok  "
	if !r.ok {
		mark = "FAIL"
	}
	return fmt.Sprintf("  %s  %-5s  %s\n              measured: %s\n              expected: %s", mark, r.protocol, r.done, r.measured, r.expected)
}

// report prints what was done and measured beside what was expected.
func (t *trial) report(ok bool, done, measured, expected string) {
	t.print(row{t.protocol, done, measured, expected, ok})
}
