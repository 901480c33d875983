package module

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/hooklatch/hooklatch/module/replay"
)

// countingStore counts the calls of its methods by label.
type countingStore struct {
	replay.Options
	Name  string
	Fails bool
}

func init() { caddy.RegisterModule(countingStore{}) }

func (countingStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: replay.Namespace + ".test_counting", New: func() caddy.Module { return new(countingStore) }}
}

type counts struct{ opened, closed int }

var counted = map[string]*counts{}

func (s *countingStore) Open(replay.OpenOptions) (replay.History, error) {
	if s.Fails {
		return nil, errStore
	}
	counted[s.Name].opened++
	return countingHistory{s.Name}, nil
}

type countingHistory struct{ name string }

func (countingHistory) Reserve(context.Context, replay.Event) (replay.Reservation, replay.Status, error) {
	return nil, 0, errStore
}

func (countingHistory) Forget(context.Context, replay.Key) (replay.Status, error) {
	return 0, errStore
}

func (c countingHistory) Close() error { counted[c.name].closed++; return nil }

// loadedApp provisions a configuration with a handler for each store and
// returns its app.
func loadedApp(t *testing.T, stores ...*countingStore) (*App, error) {
	t.Helper()
	var handlers []any
	for _, s := range stores {
		handlers = append(handlers, map[string]any{
			"handler": "verify_webhook", "scheme": "cryptr", "secrets": []string{"s"}, "provider": "label",
			"replay": map[string]any{"store": "test_counting", "Name": s.Name, "Fails": s.Fails},
		})
	}
	raw, err := json.Marshal(map[string]any{"servers": map[string]any{"test": map[string]any{
		"listen": []string{"127.0.0.1:0"}, "routes": []any{map[string]any{"handle": handlers}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(&caddy.Config{
		Admin: &caddy.AdminConfig{Disabled: true}, AppsRaw: caddy.ModuleMap{"http": raw},
	})
	if err != nil {
		return nil, err
	}
	app, err := ctx.App(appName)
	if err != nil {
		t.Fatal(err)
	}
	return app.(*App), nil
}

func TestHistoriesAreOpenedAtStart(t *testing.T) {
	c := &counts{}
	counted[t.Name()] = c
	// Two handlers with the same explicit label share one history.
	app, err := loadedApp(t, &countingStore{Name: t.Name()}, &countingStore{Name: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	if *c != (counts{}) {
		t.Fatalf("provisioning did %+v", *c)
	}
	if err := app.Start(); err != nil {
		t.Fatal(err)
	}
	if err := app.Stop(); err != nil {
		t.Fatal(err)
	}
	if *c != (counts{opened: 1}) {
		t.Fatalf("start and stop did %+v", *c)
	}
	if err := app.Cleanup(); err != nil {
		t.Fatal(err)
	}
	if *c != (counts{opened: 1, closed: 1}) {
		t.Fatalf("after cleanup: %+v", *c)
	}
	// A request that comes after that gets an error and opens nothing.
	late := app.histories["label"]
	late.acquire()
	if _, err := late.get(); !errors.Is(err, errConfigurationOver) {
		t.Errorf("for a late request: %v", err)
	}
	late.release()
	if *c != (counts{opened: 1, closed: 1}) {
		t.Errorf("after a late request: %+v", *c)
	}
}

func TestCleanupReleasesOnlyWhatWasOpened(t *testing.T) {
	c := &counts{}
	counted[t.Name()] = c
	app, err := loadedApp(t, &countingStore{Name: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Cleanup(); err != nil {
		t.Fatal(err)
	}
	if *c != (counts{}) {
		t.Fatalf("a configuration that never started did %+v", *c)
	}
}

func TestStartFailsWithTheStore(t *testing.T) {
	app, err := loadedApp(t, &countingStore{Name: t.Name(), Fails: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Start(); !errors.Is(err, errStore) {
		t.Errorf("start: %v", err)
	}
}
