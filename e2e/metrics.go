package e2e

import (
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// metrics are the values of Hooklatch's series, by name and labels as they are
// written, without the prefix that all of them have and without the scheme.
type metrics map[string]float64

var schemeLabel = regexp.MustCompile(`,scheme="[a-z0-9_-]+"`)

const metricsPrefix = "caddy_verify_webhook_"

// metricsText is what Prometheus would read at the address.
func metricsText(t *testing.T, addr string) string {
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

func metricsOf(t *testing.T, addr string) metrics {
	t.Helper()
	m := metrics{}
	for line := range strings.Lines(metricsText(t, addr)) {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), metricsPrefix)
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

// requests counts those of a provider that ended with a verdict and a reason.
func (m metrics) requests(provider, verdict, reason string) float64 {
	return m[`requests_total{provider="`+provider+`",reason="`+reason+`",verdict="`+verdict+`"}`]
}
