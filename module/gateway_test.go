package module

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	_ "github.com/hooklatch/hooklatch/module/replay/memory"
	_ "github.com/hooklatch/hooklatch/module/replay/none"
)

// gateway is a handler in a real Caddy server on a free port, before an
// application that is a Go function.
type gateway struct {
	*httptest.Server
	handler *Handler
	app     *App
	ctx     caddy.Context
	logs    *observer.ObservedLogs

	mu  sync.Mutex
	got []received
}

// received is a request that reached the application.
type received struct {
	header http.Header
	body   string
	length int64
	uri    string
}

// labels counts the labels that tests have used.
var labels atomic.Int64

// application answers a delivery. A nil application does not answer at all.
type application func(w http.ResponseWriter, r *http.Request) error

// applications are found by the test handler below, by the name of the test.
var applications sync.Map

// testApplication is the module that runs after the handler.
type testApplication struct {
	Name string `json:"name"`
}

func init() { caddy.RegisterModule(testApplication{}) }

func (testApplication) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.verify_webhook_test_application",
		New: func() caddy.Module { return new(testApplication) },
	}
}

func (a *testApplication) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	serve, _ := applications.Load(a.Name)
	return serve.(func(http.ResponseWriter, *http.Request, caddyhttp.Handler) error)(w, r, next)
}

const testSecret = "c2VjcmV0" // base64, so that every scheme takes it

// testTime is the clock of a gateway under test.
var testTime = time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)

// newGateway starts a gateway. The options are the handler's JSON; scheme and
// secrets are craneops and testSecret unless they say otherwise.
func newGateway(t *testing.T, options map[string]any, app application) *gateway {
	t.Helper()
	g := &gateway{}
	handler := map[string]any{"handler": "verify_webhook", "scheme": "craneops", "secrets": []string{testSecret}}
	maps.Copy(handler, options)
	global, err := json.Marshal(map[string]any{"max_buffered": handler["max_buffered"]})
	if err != nil {
		t.Fatal(err)
	}
	delete(handler, "max_buffered") // is an option of the app
	before, _ := handler["before"].([]any)
	delete(handler, "before") // these are handlers of the site
	if handler["provider"] == nil {
		// Each gateway has its own label, so that no two share a history or metrics.
		handler["provider"] = fmt.Sprint("t-", labels.Add(1))
	}
	applications.Store(t.Name(), func(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("reading the body behind the handler: %v", err)
		}
		g.mu.Lock()
		g.got = append(g.got, received{r.Header.Clone(), string(body), r.ContentLength, r.RequestURI})
		g.mu.Unlock()
		if app == nil {
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		return app(w, r)
	})
	t.Cleanup(func() { applications.Delete(t.Name()) })

	config := map[string]any{"servers": map[string]any{"test": map[string]any{
		"listen": []string{"127.0.0.1:0"},
		"routes": []any{map[string]any{"handle": append(before,
			handler,
			map[string]any{"handler": "verify_webhook_test_application", "name": t.Name()},
		)}},
		"errors": map[string]any{"routes": []any{map[string]any{"handle": []any{map[string]any{
			"handler": "static_response", "status_code": "{http.error.status_code}",
			"body": "{http.verify_webhook.verdict} {http.verify_webhook.reason}",
			"headers": map[string][]string{
				"X-Message": {"{http.error.message}"}, "X-Event": {"{http.verify_webhook.event}"},
				"X-Id": {"{http.verify_webhook.id}"}, "X-Age": {"{http.verify_webhook.age}"},
				"X-Sent-At": {"{http.verify_webhook.sent_at}"}, "X-Key": {"{http.verify_webhook.key}"},
				"X-Length": {"{http.request.header.Content-Length}"}, "X-Forged": {"{http.request.header.Webhook-Verdict}"},
				"X-Signed-Id": {"{http.request.header.Webhook-Id}"},
			},
		}}}}},
	}}}
	raw, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(&caddy.Config{
		Admin:   &caddy.AdminConfig{Disabled: true},
		AppsRaw: caddy.ModuleMap{"http": raw, appName: global},
	})
	if err != nil {
		t.Fatal(err)
	}
	g.ctx = ctx
	httpApp, err := ctx.App("http")
	if err != nil {
		t.Fatal(err)
	}
	own, err := ctx.App(appName)
	if err != nil {
		t.Fatal(err)
	}
	g.app = own.(*App)
	server := httpApp.(*caddyhttp.App).Servers["test"]
	g.handler = server.Routes[0].Handlers[len(before)].(*Handler)
	g.handler.now = func() time.Time { return testTime }
	core, logs := observer.New(zap.DebugLevel)
	g.handler.logger, g.logs = zap.New(core), logs
	g.handler.events.logger = g.handler.logger

	g.Server = httptest.NewServer(server)
	t.Cleanup(func() {
		g.Close()
		if err := g.app.Cleanup(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// delivered returns the requests that have reached the application.
func (g *gateway) delivered() []received {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]received(nil), g.got...)
}

// answerOf is an answer as the sender reads it.
type answerOf struct {
	status int
	body   string
	header http.Header
}

// send sends a delivery and reads the whole answer.
func (g *gateway) send(t *testing.T, header http.Header, body string) answerOf {
	t.Helper()
	return g.sendRequest(t, g.request(t, header, strings.NewReader(body)))
}

func (g *gateway) request(t *testing.T, header http.Header, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, g.URL+"/hook?token=1", body)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(r.Header, header)
	return r
}

func (g *gateway) sendRequest(t *testing.T, r *http.Request) answerOf {
	t.Helper()
	a, err := g.try(r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// sendDirectly sends a delivery without a connection, for a bubble of
// testing/synctest: time would stand still in it while a goroutine waits for a
// connection.
func (g *gateway) sendDirectly() answerOf {
	r := httptest.NewRequest(http.MethodPost, "/hook?token=1", strings.NewReader(body))
	maps.Copy(r.Header, craneops(body))
	w := httptest.NewRecorder()
	g.Config.Handler.ServeHTTP(w, r)
	return answerOf{w.Code, w.Body.String(), w.Header()}
}

func (g *gateway) try(r *http.Request) (answerOf, error) {
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       patience,
	}
	res, err := client.Do(r)
	if err != nil {
		return answerOf{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answerOf{res.StatusCode, string(body), res.Header}, err
}

// expect checks an answer: status and, through handle_errors, the reason.
func expect(t *testing.T, a answerOf, status int, body string) {
	t.Helper()
	if a.status != status || a.body != body {
		t.Errorf("answer %d %q, want %d %q", a.status, a.body, status, body)
	}
}

// expectDelivered checks what reached the application, byte for byte.
func (g *gateway) expectDelivered(t *testing.T, bodies ...string) {
	t.Helper()
	got := g.delivered()
	if len(got) != len(bodies) {
		t.Fatalf("%d deliveries reached the application, want %d", len(got), len(bodies))
	}
	for i, body := range bodies {
		if got[i].body != body || got[i].length != int64(len(body)) {
			t.Errorf("delivery %d: %d bytes declared, body %q, want %q", i, got[i].length, got[i].body, body)
		}
	}
}

// The signers of the tests follow the providers' rules and do not use the
// schemes package.

func mac(pieces ...string) []byte {
	key, _ := base64.StdEncoding.DecodeString(testSecret)
	return macUnder(key, pieces...)
}

func macUnder(key []byte, pieces ...string) []byte {
	m := hmac.New(sha256.New, key)
	for _, piece := range pieces {
		m.Write([]byte(piece))
	}
	return m.Sum(nil)
}

func craneops(body string) http.Header {
	return http.Header{"X-Craneops-Signature": {hex.EncodeToString(macUnder([]byte(testSecret), body))}}
}

func easytools(body string) http.Header {
	return http.Header{"X-Webhook-Signature": {hex.EncodeToString(macUnder([]byte(testSecret), body))}}
}

func cryptr(at time.Time, body string) http.Header {
	seconds := fmt.Sprint(at.Unix())
	return http.Header{"Cryptr-Signature": {"t=" + seconds + ",v1=sha256." + hex.EncodeToString(macUnder([]byte(testSecret), seconds, ".", body))}}
}

func mceasy(at time.Time, event, occurrence, body string) http.Header {
	millis := fmt.Sprint(at.UnixMilli())
	h := http.Header{
		"X-Mceasywebhook-Timestamp": {millis},
		"X-Mceasywebhook-Event":     {event},
		"X-Mceasywebhook-Signature": {"v1.0:" + base64.StdEncoding.EncodeToString(mac(millis, "|>", event, "|>", body))},
	}
	if occurrence != "" {
		h["X-Mceasywebhook-Occurrence-Id"] = []string{occurrence}
	}
	return h
}

// with adds headers to headers.
func with(h http.Header, pairs ...string) http.Header {
	h = h.Clone()
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}
