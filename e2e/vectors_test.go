package e2e

import (
	"fmt"
	"net/url"
	"strconv"
	"testing"
)

// TestVectors sends every vector through every client that can send it, each on
// an empty history.
func TestVectors(t *testing.T) {
	t.Parallel()
	vectors, reasons := loadVectors(t), loadReasons(t)
	for _, at := range moments(vectors) {
		app := newApplication(t)
		routes, env, paths := vectorRoutes(vectors, app.addr)
		env = append(env, "HOOKLATCH_E2E_AT_MS="+strconv.FormatInt(at, 10))
		g := startBinary(t, clockBinary(t), openSite(routes...), env...)
		for _, v := range vectors {
			if v.At != at {
				continue
			}
			path := paths[v.Provider+" "+v.Secret] + "?vector=" + url.QueryEscape(v.id())
			for _, c := range clients() {
				d := v.delivery(path + "&client=" + c.name)
				if c.can(d) {
					t.Run(v.id()+"/"+c.name, func(t *testing.T) { checkVector(t, g, app, c, v, d, reasons[v.id()]) })
				}
			}
		}
	}
}

// vectorRoutes gives every secret a route of its own, and no history.
func vectorRoutes(vectors []vector, app string) (routes, env []string, paths map[string]string) {
	paths = map[string]string{}
	for _, v := range vectors {
		key := v.Provider + " " + v.Secret
		if paths[key] != "" {
			continue
		}
		n := len(paths)
		paths[key] = fmt.Sprintf("/vectors/%d/", n)
		variable := fmt.Sprintf("VECTOR_%d_SECRET", n)
		env = append(env, variable+"="+v.Secret)
		routes = append(routes, route(paths[key],
			verify(v.Provider, variable, fmt.Sprintf("provider vector-%d", n), "replay off"),
			"reverse_proxy "+app))
	}
	return routes, env, paths
}

func checkVector(t *testing.T, g *gateway, app *application, c client, v vector, d delivery, reason string) {
	a, err := c.send(t, g, d)
	if err != nil {
		t.Fatal(err)
	}
	got := app.with(d.path)
	switch v.Expect {
	case "accept":
		a.accepted(t)
		if len(got) != 1 {
			t.Fatalf("the application received it %d times: %s", len(got), v.Why)
		}
		got[0].carries(t, d)
	case "reject":
		a.rejected(t, reason)
		if len(got) != 0 {
			t.Errorf("it reached the application: %s", v.Why)
		}
	default:
		t.Fatalf("unknown expectation %q", v.Expect)
	}
}
