package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// TestVectors sends every vector through every client that can send it, each on
// an empty history.
func TestVectors(t *testing.T) {
	t.Parallel()
	vectors := loadVectors(t)
	for _, at := range moments(vectors) {
		app := harness.NewApplication(t)
		routes, env, markOf := vectorRoutes(vectors, app.Addr)
		env = append(env, "HOOKLATCH_E2E_AT_MS="+strconv.FormatInt(at, 10))
		g := harness.StartBinary(t, harness.ClockBinary(t), harness.OpenSite(routes...), env...)
		for _, v := range vectors {
			if v.At != at {
				continue
			}
			for _, c := range harness.Clients() {
				d := v.delivery(v.target(c.Name)).Plus(vectorMark, markOf[v.id()])
				if c.Can(d) {
					t.Run(v.id()+"/"+c.Name, func(t *testing.T) { checkVector(t, g, app, c, v, d) })
				}
			}
		}
	}
}

// vectorMark is the header that selects the route of a vector. The URL cannot
// select it, because some vectors sign it.
const vectorMark = "X-Vector-Route"

// vectorRoutes returns a route without a history for each configuration that
// the vectors need, and the mark of each vector's route.
func vectorRoutes(vectors []vector, app string) (routes, env []string, markOf map[string]string) {
	markOf = map[string]string{}
	marks := map[string]string{}
	for _, v := range vectors {
		configuration := strings.Join(append([]string{v.Scheme, v.Tolerance, v.origin()}, v.Secrets...), "\x00")
		mark := marks[configuration]
		if mark == "" {
			mark = strconv.Itoa(len(marks))
			marks[configuration] = mark
			var variables []string
			for i, secret := range v.Secrets {
				variable := fmt.Sprintf("VECTOR_%s_%d_SECRET", mark, i)
				if len(secret) < canaryLen {
					variable += "_TOO_SHORT"
				}
				variables = append(variables, variable)
				env = append(env, variable+"="+secret)
			}
			options := []string{"provider vector-" + mark, "replay off"}
			for _, variable := range variables[1:] {
				options = append(options, "secret {env."+variable+"}")
			}
			if v.Tolerance != "" {
				options = append(options, "tolerance "+v.Tolerance)
			}
			if v.URL != "" {
				options = append(options, "public_url "+v.origin())
			}
			routes = append(routes,
				"@vector"+mark+" header "+vectorMark+" "+mark,
				fmt.Sprintf("route @vector%s {\n%s\nreverse_proxy %s\n}", mark, harness.Verify(v.Scheme, variables[0], options...), app))
		}
		markOf[v.id()] = mark
	}
	return routes, env, markOf
}

// canaryLen is the shortest secret that is searched for in a log. A published
// one is 12345, which may occur in any number.
const canaryLen = 8

func checkVector(t *testing.T, g *harness.Gateway, app *harness.Application, c harness.Client, v vector, d harness.Delivery) {
	before := len(app.With(d.Path)) // others may be sent to the same URL
	a, err := c.Send(t, g, d)
	if err != nil {
		t.Fatal(err)
	}
	got := app.With(d.Path)[before:]
	switch v.Expect {
	case "accept":
		a.Accepted(t)
		if len(got) != 1 {
			t.Fatalf("the application received it %d times: %s", len(got), v.Why)
		}
		got[0].Carries(t, d)
	case "reject":
		a.Rejected(t, v.Reason)
		if len(got) != 0 {
			t.Errorf("it reached the application: %s", v.Why)
		}
	default:
		t.Fatalf("unknown expectation %q", v.Expect)
	}
}
