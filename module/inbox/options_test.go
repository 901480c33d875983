package inbox

import (
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

const minute = caddy.Duration(time.Minute)

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		options Options
		saying  string // empty if they are valid
	}{
		"nothing":        {Options{}, ""},
		"the defaults":   {Options{}.WithDefaults(), ""},
		"always":         {Options{Mode: ModeAlways}, ""},
		"mode":           {Options{Mode: "sometimes"}, "write rescue or always"},
		"after, always":  {Options{Mode: ModeAlways, After: minute}, "remove it"},
		"after":          {Options{After: -1}, "after must be above zero"},
		"keep":           {Options{Keep: -1}, "keep must be above zero"},
		"keep for ever":  {Options{Keep: longest + 1}, "ten years"},
		"dead":           {Options{Dead: -1}, "dead must be above zero"},
		"status":         {Options{Statuses: []string{"500", "200"}}, "300 to 599"},
		"class":          {Options{Statuses: []string{"6xx"}}, "300 to 599"},
		"statuses":       {Options{Statuses: []string{"3xx", "404", "599"}}, ""},
		"retry":          {Options{Retry: &Retry{}}, "above zero"},
		"retry, order":   {Options{Retry: &Retry{First: 2 * minute, Most: minute}}, "retry 1s 5m"},
		"retry, longest": {Options{Retry: &Retry{First: minute, Most: longest + 1}}, "ten years"},
		"max_size":       {Options{MaxSize: -1}, "max_size must be above zero"},
		"concurrency":    {Options{Concurrency: -1}, "concurrency must be above zero"},
	} {
		err := c.options.Check()
		if (err == nil) != (c.saying == "") || err != nil && !strings.Contains(err.Error(), c.saying) {
			t.Errorf("%s: %v, want %q", name, err, c.saying)
		}
	}
}

func TestIsAnswer(t *testing.T) {
	defaults := Options{}.WithDefaults()
	own := Options{Statuses: []string{"3xx", "404"}}
	for status, want := range map[int][2]bool{
		200: {true, true}, 301: {true, false}, 400: {true, true}, 404: {true, false}, 408: {false, true},
		425: {false, true}, 429: {false, true}, 500: {false, true}, 503: {false, true}, 599: {false, true}, 999: {true, true},
	} {
		if got := [2]bool{defaults.IsAnswer(status), own.IsAnswer(status)}; got != want {
			t.Errorf("%d: %v, want %v", status, got, want)
		}
	}
}

func TestUnmarshalOption(t *testing.T) {
	for text, saying := range map[string]string{
		"mode always":          "",
		"mode both":            "write rescue or always",
		"after 5s":             "",
		"statuses 5xx 404":     "",
		"statuses":             "one or more",
		"statuses 20x":         "300 to 599",
		"retry 1s 5m":          "",
		"retry 1s":             "<first> and <most>",
		"retry 1s 2s 3s":       "<first> and <most>",
		"retry 5m 1s":          "longer than the longest",
		"retry 1s soon":        "not a duration",
		"keep 1h":              "",
		"dead 0s":              "above zero",
		"max_size 1GiB":        "",
		"max_size much":        "not a size",
		"concurrency 8":        "",
		"concurrency 0":        "above zero",
		"patience infinite":    "unknown",
		"concurrency 8 please": "one argument",
	} {
		d := caddyfile.NewTestDispenser(text)
		d.Next()
		var o Options
		known, err := o.UnmarshalOption(d)
		switch {
		case saying == "unknown":
			if known || err != nil {
				t.Errorf("%s: %v %v", text, known, err)
			}
		case !known, (err == nil) != (saying == ""), err != nil && !strings.Contains(err.Error(), saying):
			t.Errorf("%s: %v %v, want %q", text, known, err, saying)
		}
	}
}
