package harness

import (
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// metrics maps Hooklatch's series to their values. The keys are the names and
// labels as they are written, without the common prefix and the scheme label.
type metrics map[string]float64

var schemeLabel = regexp.MustCompile(`,scheme="[a-z0-9_-]+"`)

// MetricsPrefix is the prefix of Hooklatch's metrics.
const MetricsPrefix = "caddy_verify_webhook_"

// MetricsText returns the metrics as Prometheus would read them.
func MetricsText(t *testing.T, addr string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%d %v %s", response.StatusCode, err, text)
	}
	return string(text)
}

// MetricsOf reads the metrics of an admin endpoint.
func MetricsOf(t *testing.T, addr string) metrics {
	t.Helper()
	m := metrics{}
	for line := range strings.Lines(MetricsText(t, addr)) {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), MetricsPrefix)
		if !ok {
			continue
		}
		at := strings.LastIndexByte(name, ' ')
		value, err := strconv.ParseFloat(name[at+1:], 64)
		if err != nil {
			t.Fatal(err)
		}
		series := schemeLabel.ReplaceAllString(name[:at], "")
		if strings.Contains(series, `provider="`) == (series == name[:at]) {
			t.Errorf("%s: what has the label provider has the label scheme, and nothing else has", name)
		}
		m[series] = value
	}
	return m
}

// Requests returns the number of a provider's requests with a verdict and a
// reason.
func (m metrics) Requests(provider, verdict, reason string) float64 {
	return m[`requests_total{provider="`+provider+`",reason="`+reason+`",verdict="`+verdict+`"}`]
}
