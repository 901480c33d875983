package module

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hooklatch/hooklatch/module/replay"
	"github.com/hooklatch/hooklatch/schemes"
)

func revolut(at time.Time, body string) http.Header {
	sent := strconv.FormatInt(at.UnixMilli(), 10)
	return http.Header{
		"Revolut-Request-Timestamp": {sent},
		"Revolut-Signature":         {"v1=" + hex.EncodeToString(macUnder([]byte(testSecret), "v1."+sent+"."+body))},
	}
}

// TestDefaultKey: Revolut sends equal bodies as different events, which only the
// send time tells apart. A replay of one of them has its time and is none.
func TestDefaultKey(t *testing.T) {
	first, second := revolut(testTime, body), revolut(testTime.Add(time.Second), body)
	for _, c := range []struct {
		name   string
		replay map[string]any
		again  int
	}{
		{"by default", nil, http.StatusNoContent},
		{"with a store", map[string]any{"store": "memory"}, http.StatusNoContent},
		{"as the operator says", map[string]any{"store": "memory", "key": "content"}, http.StatusOK},
	} {
		t.Run(c.name, func(t *testing.T) {
			options := map[string]any{"scheme": "revolut"}
			if c.replay != nil {
				options["replay"] = c.replay
			}
			g := newGateway(t, options, nil)
			g.walk(t, []step{
				{"first", first, body, http.StatusNoContent, ""},
				{"replayed", first, body, http.StatusOK, ""},
				{"sent again", second, body, c.again, ""},
				{"replayed again", second, body, http.StatusOK, ""},
			})
		})
	}
}

// TestDefaultReplayOff: nothing tells two of Dropbox's deliveries apart, so each
// is forwarded, unless the operator asks for a history. An inbox needs one.
func TestDefaultReplayOff(t *testing.T) {
	signed := http.Header{"X-Dropbox-Signature": {hex.EncodeToString(macUnder([]byte(testSecret), body))}}
	g := newGateway(t, map[string]any{"scheme": "dropbox"}, nil)
	g.walk(t, []step{
		{"first", signed, body, http.StatusNoContent, ""},
		{"next", signed, body, http.StatusNoContent, ""},
		{"forged", signed, body + " ", http.StatusUnauthorized, "rejected signature_mismatch"},
	})
	g = newGateway(t, map[string]any{"scheme": "dropbox", "replay": map[string]any{"store": "memory"}}, nil)
	g.walk(t, []step{
		{"first", signed, body, http.StatusNoContent, ""},
		{"next", signed, body, http.StatusOK, ""},
	})
	h := &Handler{Scheme: "dropbox", Secrets: []string{testSecret}, InboxRaw: []byte(`{"inbox":"file","path":"/x"}`)}
	if err := h.Check(); err == nil || !strings.Contains(err.Error(), "inbox: it needs a history") || !strings.Contains(err.Error(), "dropbox") {
		t.Errorf("an inbox without a history: %v", err)
	}
}

// TestDefaultTolerance: what ElevenLabs' own library accepts is accepted, and the
// operator's word counts.
func TestDefaultTolerance(t *testing.T) {
	scheme, _ := schemes.Get("elevenlabs")
	for _, c := range []struct {
		tolerance *Tolerance
		past      time.Duration
	}{
		{nil, 30 * time.Minute},
		{&Tolerance{Past: caddy.Duration(time.Minute)}, time.Minute},
	} {
		w := windowOf(scheme, c.tolerance)
		for age, fresh := range map[time.Duration]bool{
			c.past: true, c.past + time.Second: false, -min(c.past, 5*time.Minute): true, -min(c.past, 5*time.Minute) - time.Second: false,
		} {
			if err := w.Judge(testTime, testTime.Add(age)); (err == nil) != fresh {
				t.Errorf("%v: %s old: %v", c.tolerance, age, err)
			}
		}
	}
	if ttl := ttlOf(scheme, replay.Options{}); ttl < 35*time.Minute {
		t.Errorf("the history forgets after %s what is fresh for longer", ttl)
	}
}
