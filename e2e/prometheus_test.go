package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// prometheus is a running server that reads the gateway's metrics.
type prometheus struct{ addr string }

const monitoring = "../examples/monitoring"

// startPrometheus starts Prometheus with the example's configuration and
// alerts, but with a scrape every second and another target.
func startPrometheus(t *testing.T, target string) *prometheus {
	t.Helper()
	harness.Needs(t, "prometheus")
	dir := t.TempDir()
	config := replaced(t, contents(t, filepath.Join(monitoring, "prometheus.yml")), []string{
		"scrape_interval: 15s", "scrape_interval: 1s",
		"evaluation_interval: 15s", "evaluation_interval: 1s",
		"localhost:9180", target,
	})
	for name, text := range map[string]string{
		"prometheus.yml": config, "alerts.yml": contents(t, filepath.Join(monitoring, "alerts.yml")),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		if p := launchPrometheus(t, dir); p != nil {
			return p
		}
	}
	t.Fatal("five times Prometheus did not start")
	return nil
}

// launchPrometheus returns nil if the process ends before it is ready, since
// another process may have taken the port.
func launchPrometheus(t *testing.T, dir string) *prometheus {
	t.Helper()
	p := &prometheus{addr: "127.0.0.1:" + harness.FreePort(t)}
	log := new(harness.LogBook)
	cmd := exec.Command("prometheus",
		"--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+p.addr, "--log.level=warn")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	stop := func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-exited
		if t.Failed() {
			t.Logf("Prometheus says:\n%s", harness.LastLines(log.String()))
		}
	}
	ready, gone := false, false
	harness.Poll(t, "Prometheus", func() bool {
		select {
		case <-exited:
			gone = true
		default:
			response, err := http.Get("http://" + p.addr + "/-/ready")
			if err == nil {
				response.Body.Close()
				ready = response.StatusCode == http.StatusOK
			}
		}
		return ready || gone
	})
	if gone {
		return nil
	}
	t.Cleanup(stop)
	return p
}

// ask queries the HTTP API.
func (p *prometheus) ask(t *testing.T, path string, data any) {
	t.Helper()
	response, err := http.Get("http://" + p.addr + "/api/v1/" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if answer.Status != "success" {
		t.Fatalf("%s: %s", path, answer.Error)
	}
	if err := json.Unmarshal(answer.Data, data); err != nil {
		t.Fatal(err)
	}
}

// sample is one line of an answer.
type sample struct {
	labels map[string]string
	value  string
}

func (p *prometheus) query(t *testing.T, expression string) []sample {
	t.Helper()
	var data struct {
		Result []struct {
			Metric map[string]string
			Value  [2]any
		}
	}
	p.ask(t, "query?query="+url.QueryEscape(expression), &data)
	var samples []sample
	for _, r := range data.Result {
		samples = append(samples, sample{r.Metric, fmt.Sprint(r.Value[1])})
	}
	return samples
}

// alerts returns the states of the alerts by name.
func (p *prometheus) alerts(t *testing.T) map[string]string {
	t.Helper()
	var data struct {
		Groups []struct {
			Rules []struct{ Name, State, Health, LastError string }
		}
	}
	p.ask(t, "rules?type=alert", &data)
	states := map[string]string{}
	for _, group := range data.Groups {
		for _, rule := range group.Rules {
			states[rule.Name] = rule.State
			if rule.Health == "err" {
				t.Errorf("%s: %s", rule.Name, rule.LastError)
			}
		}
	}
	return states
}

// awaitScrape waits until Prometheus has read the target once more.
func (p *prometheus) awaitScrape(t *testing.T) {
	t.Helper()
	const scrapes = `count_over_time(up{job="hooklatch"}[1h]) and up{job="hooklatch"} == 1`
	count := func() string {
		if got := p.query(t, scrapes); len(got) == 1 {
			return got[0].value
		}
		return ""
	}
	before := count()
	harness.Poll(t, "a scrape", func() bool {
		now := count()
		return now != "" && now != before
	})
}

// dashboard returns the queries of the example by panel title, with Grafana's
// variables replaced.
func dashboard(t *testing.T) map[string][]string {
	t.Helper()
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(contents(t, filepath.Join(monitoring, "dashboard.json"))), &board); err != nil {
		t.Fatal(err)
	}
	queries := map[string][]string{}
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			expression := strings.NewReplacer("$__rate_interval", time.Minute.String(), "$provider", ".*", "$scheme", ".*").Replace(target.Expr)
			queries[panel.Title] = append(queries[panel.Title], expression)
		}
	}
	return queries
}
