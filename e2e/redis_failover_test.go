package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// clientsOf returns the connections of gateways to a Redis.
func clientsOf(t *testing.T, s *redisServer) []string {
	t.Helper()
	var found []string
	for line := range strings.Lines(s.mustAsk(t, "CLIENT", "LIST")) {
		if strings.Contains(line, "name=hooklatch") {
			found = append(found, line)
		}
	}
	return found
}

// startCluster starts three nodes, and a replica of the first one.
func startCluster(t *testing.T) (nodes []*redisServer, replica *redisServer) {
	t.Helper()
	const slots, count = 16384, 3
	for n := range count + 1 {
		s := startRedis(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-port", harness.FreePort(t))
		nodes = append(nodes, s)
		s.mustAsk(t, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(n+1))
		if n < count {
			s.mustAsk(t, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(n*slots/count), strconv.Itoa((n+1)*slots/count-1))
		}
		if n > 0 {
			first := nodes[0]
			s.mustAsk(t, "CLUSTER", "MEET", "127.0.0.1", first.port, clusterPort(first))
		}
	}
	nodes, replica = nodes[:count], nodes[count]
	id := nodes[0].mustAsk(t, "CLUSTER", "MYID")
	harness.Poll(t, "the replica to know its node", func() bool {
		_, err := replica.ask("CLUSTER", "REPLICATE", id)
		return err == nil
	})
	for _, s := range append([]*redisServer{replica}, nodes...) {
		harness.Poll(t, "the cluster", func() bool {
			return strings.Contains(s.mustAsk(t, "CLUSTER", "INFO"), "cluster_state:ok")
		})
	}
	harness.Poll(t, "the replica to be in step", func() bool {
		return strings.Contains(replica.mustAsk(t, "INFO", "replication"), "master_link_status:up")
	})
	return nodes, replica
}

func clusterPort(s *redisServer) string {
	for i, arg := range s.args {
		if arg == "--cluster-port" {
			return s.args[i+1]
		}
	}
	return ""
}

// TestRedisCluster kills one node of three under load; its replica takes over.
func TestRedisCluster(t *testing.T) {
	app := harness.NewApplication(t)
	nodes, replica := startCluster(t)
	var user string
	for _, s := range append(nodes, replica) {
		user = s.addUser(t)
	}
	gateways := twoGateways(t, app, "redis://"+user+nodes[0].addr()+" redis://"+user+nodes[1].addr(), busy)
	tr := newTraffic(app, 4000, gateways...)
	tr.run(t, func() {
		for i, s := range nodes {
			if n := s.mustAsk(t, "DBSIZE"); n == "0" {
				t.Errorf("node %d has no key", i)
			}
		}
		nodes[0].kill(t)
	})
	if !strings.Contains(replica.mustAsk(t, "INFO", "replication"), "role:master") {
		t.Error("the replica has not taken over")
	}
	checkFailover(t, tr, replica, nodes[1], nodes[2])
}

// checkFailover allows for entries that were answered but not yet replicated,
// which a failover loses.
func checkFailover(t *testing.T, tr *traffic, nodes ...*redisServer) {
	t.Helper()
	lost, doubled, forgotten := tr.tally(t, nodes...)
	if lost != 0 || doubled > tr.senders || forgotten > 2*tr.senders {
		t.Errorf("lost %d, doubled %d, forgotten %d; %d were in flight at the kill", lost, doubled, forgotten, tr.senders)
	}
}

// TestRedisSentinel kills the master under load; three Sentinels make its
// replica the new one.
func TestRedisSentinel(t *testing.T) {
	app := harness.NewApplication(t)
	master := startRedis(t)
	replica := startRedis(t, "--replicaof", "127.0.0.1 "+master.port)
	harness.Poll(t, "the replica to be in step", func() bool {
		return strings.Contains(replica.mustAsk(t, "INFO", "replication"), "master_link_status:up")
	})
	var sentinels []*redisServer
	for range 3 {
		sentinels = append(sentinels, startSentinel(t, master))
	}
	for _, s := range sentinels {
		harness.Poll(t, "the sentinels to know each other", func() bool {
			said := s.mustAsk(t, "SENTINEL", "MASTER", "main")
			return strings.Contains(said, "num-other-sentinels\n2") && strings.Contains(said, "num-slaves\n1")
		})
	}
	master.addUser(t, "+role")
	url := "redis://" + replica.addUser(t, "+role") + sentinels[0].addr() + "?addr=" + sentinels[1].addr() + "&master_set=main"
	tr := newTraffic(app, 4000, twoGateways(t, app, url, busy)...)
	tr.run(t, func() { master.kill(t) })
	if !strings.Contains(replica.mustAsk(t, "INFO", "replication"), "role:master") {
		t.Error("the replica has not taken over")
	}
	checkFailover(t, tr, replica)
}

func startSentinel(t *testing.T, master *redisServer) *redisServer {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "sentinel.conf")
	lines := []string{
		"bind 127.0.0.1",
		"sentinel monitor main 127.0.0.1 " + master.port + " 2",
		"sentinel auth-pass main " + redisPassword,
		"sentinel down-after-milliseconds main 1000",
		"sentinel failover-timeout main 5000",
		"",
	}
	if err := os.WriteFile(config, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return startRedisAt(t, harness.FreePort(t), dir, config, "--sentinel")
}
