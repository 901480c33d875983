package e2e

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// redisSite returns a site with its history in Redis.
func redisSite(app *harness.Application, options string) string {
	return harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr, "provider craneops", "replay redis {env.REDIS_URL_SECRET} {\n"+options+"\n}"))
}

// twoGateways starts two gateways that share a Redis.
func twoGateways(t *testing.T, app *harness.Application, url, options string) []*harness.Gateway {
	t.Helper()
	site := redisSite(app, options)
	return []*harness.Gateway{harness.Start(t, site, redisEnv(url)...), harness.Start(t, site, redisEnv(url)...)}
}

// busy allows for a busy machine: the tests do not measure how soon Redis
// answers.
const busy = "timeout 2s"

// TestRedisOnce: each of 10,000 deliveries is sent to two gateways at the same
// time, and reaches the application once.
func TestRedisOnce(t *testing.T) {
	const total = 10_000
	app := harness.NewApplication(t)
	gateways := twoGateways(t, app, startRedis(t).url(), busy)
	tr := newTraffic(app, total, gateways...)
	var accepted, inFlight, duplicates, other atomic.Int64
	began := time.Now()
	tr.each(func(n int) {
		answers := make(chan harness.Answer, len(gateways))
		for _, g := range gateways {
			go func() {
				a, err := tr.post(t, g, tr.delivery(n))
				if err != nil {
					t.Error(err)
				}
				answers <- a
			}()
		}
		for range gateways {
			switch a := <-answers; {
			case a.Status == http.StatusOK && a.Verdict() == "accepted":
				accepted.Add(1)
			case a.Status == http.StatusOK && a.Verdict() == "duplicate":
				duplicates.Add(1)
			case a.Status == http.StatusServiceUnavailable && a.Reason() == "in_flight":
				inFlight.Add(1)
			default:
				other.Add(1)
				t.Errorf("%d %s %s", a.Status, a.Verdict(), a.Reason())
			}
		}
	})
	took := time.Since(began)
	once := 0
	for _, count := range tr.times() {
		if count == 1 {
			once++
		}
	}
	if once != total || accepted.Load() != total || app.Arrivals() != total {
		t.Errorf("%d of %d reached the application once, %d were accepted, %d arrived", once, total, accepted.Load(), app.Arrivals())
	}
	t.Logf("%d deliveries, each to two gateways at the same time, in %v: lost %d, doubled %d; the second was told to wait %d times and was a duplicate %d times",
		total, took.Round(time.Millisecond), total-len(tr.times()), len(tr.times())-once, inFlight.Load(), duplicates.Load())
}

// TestRedisKilled kills Redis with -9 under load and starts it again. It has an
// append-only file, written at once and synced every second, so that a killed
// process loses nothing that it has answered; a machine without power would
// lose up to a second.
func TestRedisKilled(t *testing.T) {
	app := harness.NewApplication(t)
	server := startRedis(t, "--appendonly", "yes")
	tr := newTraffic(app, 4000, twoGateways(t, app, server.url(), busy)...)
	tr.run(t, func() {
		server.kill(t)
		time.Sleep(time.Second) // long enough for the gateways to notice
		server.start(t)
	})
	lost, doubled, forgotten := tr.tally(t, server)
	if lost != 0 || doubled > tr.senders || forgotten != 0 {
		t.Errorf("lost %d, doubled %d, forgotten %d; %d were in flight at the kill", lost, doubled, forgotten, tr.senders)
	}
}

// TestRedisKilledWithoutFile: Redis restarts empty. Its entries are gone, but
// no delivery is lost.
func TestRedisKilledWithoutFile(t *testing.T) {
	app := harness.NewApplication(t)
	server := startRedis(t)
	tr := newTraffic(app, 2000, twoGateways(t, app, server.url(), busy)...)
	tr.run(t, func() {
		server.kill(t)
		server.start(t)
	})
	lost, doubled, forgotten := tr.tally(t, server)
	if lost != 0 || doubled > tr.senders || forgotten == 0 {
		t.Errorf("lost %d, doubled %d, forgotten %d; %d were in flight at the kill", lost, doubled, forgotten, tr.senders)
	}
}

// TestRedisAway checks the answers to senders while Redis is away, and that no
// restart is needed.
func TestRedisAway(t *testing.T) {
	app := harness.NewApplication(t)
	server := startRedis(t)
	refuse := harness.Start(t, redisSite(app, busy), redisEnv(server.url())...)
	forward := harness.Start(t, redisSite(app, busy+"\non_error forward\nprefix other:"), redisEnv(server.url())...)
	refuse.Send(t, harness.CraneOps("1")).Accepted(t)
	forward.Send(t, harness.CraneOps("1")).Accepted(t)
	server.kill(t)
	refuse.Send(t, harness.CraneOps("2")).Rejected(t, "store_unavailable")
	forward.Send(t, harness.CraneOps("1")).Accepted(t)
	forward.Log.Await(t, "on_error forward", func(e harness.Entry) bool { return e["deliveries"] == 1.0 })

	// A gateway that starts while Redis is away.
	late := harness.Start(t, redisSite(app, busy), redisEnv(server.url())...)
	late.Log.Await(t, "the reason", func(e harness.Entry) bool { return e["attempts"] == 1.0 })
	late.Send(t, harness.CraneOps("2")).Rejected(t, "store_unavailable")
	server.start(t)
	for _, g := range []*harness.Gateway{refuse, forward, late} {
		harness.Poll(t, "Redis to be back", func() bool {
			return g.Send(t, harness.CraneOps("3")).Status == http.StatusOK
		})
		g.Send(t, harness.CraneOps("3")).Duplicate(t)
	}
}

// TestRedisReload: a reload keeps what is in flight, and one that fails changes
// nothing.
func TestRedisReload(t *testing.T) {
	app := harness.NewApplication(t)
	server := startRedis(t)
	site := redisSite(app, busy)
	g := harness.Start(t, site, redisEnv(server.url())...)
	release := make(chan struct{})
	free := closing(release)
	defer free()
	app.Answers(harness.Until(release, http.StatusOK))
	first := make(chan harness.Answer, 1)
	go func() { first <- g.Send(t, harness.CraneOps("1")) }()
	app.AwaitArrivals(t, 1)
	g.MustReload(t, changed(redisSite(app, busy+"\nlease 1m"), "second"))
	g.SendAfterReload(t, harness.CraneOps("1")).Rejected(t, "in_flight")
	if _, err := g.Reload(t, changed(site, "bad")+"\nverify_webhook nobody x"); err == nil {
		t.Error("the reload succeeded")
	}
	g.SendAfterReload(t, harness.CraneOps("1")).Rejected(t, "in_flight")
	free()
	a := <-first
	a.Accepted(t)
	g.SendAfterReload(t, harness.CraneOps("1")).Duplicate(t)
	app.Saw(t, 1)
	harness.Poll(t, "the connections of the old configurations to end", func() bool {
		return len(clientsOf(t, server)) <= 2
	})
}

// TestRedisForget: an operator allows one event to be delivered again, through
// any gateway.
func TestRedisForget(t *testing.T) {
	app := harness.NewApplication(t)
	gateways := twoGateways(t, app, startRedis(t).url(), busy)
	forget := func(id string) int {
		_, code := webhook(t, "", "forget", "--provider", "craneops", "--id", id, "--address", gateways[1].Admin)
		return code
	}
	gateways[0].Send(t, harness.CraneOps("1")).Accepted(t)
	id := app.All()[0].Header.Get("Webhook-Id")
	if first, second := forget(id), forget(id); first != 0 || second != 1 {
		t.Errorf("exit statuses %d and %d", first, second)
	}
	gateways[1].Send(t, harness.CraneOps("1")).Accepted(t)
	gateways[0].Send(t, harness.CraneOps("1")).Duplicate(t)

	release := make(chan struct{})
	app.Answers(harness.Until(release, http.StatusOK))
	first := make(chan harness.Answer, 1)
	go func() { first <- gateways[0].Send(t, harness.CraneOps("2")) }()
	harness.Await(t, &app.Notice, "the third delivery", func() bool { return len(app.All()) == 3 })
	if code := forget(app.All()[2].Header.Get("Webhook-Id")); code != 1 {
		t.Errorf("exit status %d for what is being handled", code)
	}
	close(release)
	a := <-first
	a.Accepted(t)
}

// TestRedisGatewayKilled: a delivery that a killed gateway was handling waits
// for the end of the lease. Then the other gateway forwards it.
func TestRedisGatewayKilled(t *testing.T) {
	const lease = 8 * time.Second
	app := harness.NewApplication(t)
	gateways := twoGateways(t, app, startRedis(t).url(), "lease 8s\n"+busy)
	release := make(chan struct{})
	free := closing(release)
	defer free()
	app.Answers(harness.Until(release, http.StatusOK))
	cut := make(chan error, 1)
	go func() {
		_, err := harness.SendGo(t, gateways[0], harness.CraneOps("1"))
		cut <- err
	}()
	app.AwaitArrivals(t, 1)
	gateways[1].Send(t, harness.CraneOps("1")).Rejected(t, "in_flight")
	if err := gateways[0].Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-cut; err == nil {
		t.Error("the sender has an answer")
	}
	killed := time.Now()
	app.Answers(harness.Status(http.StatusOK))
	harness.Poll(t, "the lease to end", func() bool { return gateways[1].Send(t, harness.CraneOps("1")).Status == http.StatusOK })
	waited := time.Since(killed)
	gateways[1].Send(t, harness.CraneOps("1")).Duplicate(t)
	app.Saw(t, 2)
	t.Logf("lost 0, doubled 1: it was in flight when its gateway was killed, and was free again after %v (lease %v)", waited.Round(time.Millisecond), lease)
}

// TestRedisSlowHandler: a handler that takes two leases keeps its event.
func TestRedisSlowHandler(t *testing.T) {
	const lease = 8 * time.Second
	app := harness.NewApplication(t)
	gateways := twoGateways(t, app, startRedis(t).url(), "lease 8s\n"+busy)
	release := make(chan struct{})
	free := closing(release)
	defer free()
	app.Answers(harness.Until(release, http.StatusOK))
	first := make(chan harness.Answer, 1)
	go func() { first <- gateways[0].Send(t, harness.CraneOps("1")) }()
	app.AwaitArrivals(t, 1)
	waited := 0
	for began := time.Now(); time.Since(began) < 2*lease; time.Sleep(50 * time.Millisecond) {
		gateways[1].Send(t, harness.CraneOps("1")).Rejected(t, "in_flight")
		waited++
	}
	free()
	a := <-first
	a.Accepted(t)
	gateways[1].Send(t, harness.CraneOps("1")).Duplicate(t)
	app.Saw(t, 1)
	t.Logf("a handler of %v under a lease of %v: lost 0, doubled 0; the other gateway told its sender to wait %d times", 2*lease, lease, waited)
}

// TestRedisThroughput measures one gateway with its history in Redis against
// the same one with its history in memory:
//
//	go test -run TestRedisThroughput -v .
//
// Sender, gateway, application and Redis share the processors.
func TestRedisThroughput(t *testing.T) {
	const total, rounds = 5000, 3
	app := harness.NewApplication(t)
	server := startRedis(t)
	site := harness.OpenSite(
		harness.Hook("/memory", "craneops", app.Addr, "provider memory"),
		harness.Hook("/redis", "craneops", app.Addr, "provider redis", "replay redis {env.REDIS_URL_SECRET} {\n"+busy+"\n}"),
	)
	g := harness.Start(t, site, redisEnv(server.url())...)
	took := map[string]time.Duration{}
	for round := range rounds + 1 {
		for _, store := range []string{"memory", "redis"} {
			tr := newTraffic(app, total, g)
			tr.path = "/" + store
			began := time.Now()
			tr.each(func(n int) {
				if a, err := tr.post(t, g, tr.delivery(n+round*total)); err != nil || a.Verdict() != "accepted" {
					t.Errorf("%v %d", err, a.Status)
				}
			})
			if round > 0 { // the first one warms everything up
				took[store] += time.Since(began)
			}
		}
	}
	for store, took := range took {
		t.Logf("%s: %.0f deliveries a second", store, total*rounds/took.Seconds())
	}
}
