package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/hooklatch/hooklatch/e2e/measure"
)

const secret = "bench-secret"

// gateways are two processes of one binary, with Caddy's defaults but for their
// ports: the one verifies, the other is what it is measured against. In one
// process, each would collect the other's garbage, and their memory could not
// be told apart.
type gateways struct{ verifying, plain *measure.Gateway }

func startGateways(binary, upstream string) (g gateways, err error) {
	proxy := "\t\treverse_proxy " + upstream + "\n"
	if g.verifying, err = start(binary, "\t\tverify_webhook craneops {env.BENCH_SECRET}\n"+proxy); err != nil {
		return g, err
	}
	if g.plain, err = start(binary, proxy); err != nil {
		g.verifying.Stop()
	}
	return g, err
}

func (g gateways) stop() {
	g.verifying.Stop()
	g.plain.Stop()
}

// start runs a binary whose route /hook has these handlers.
func start(binary, handlers string) (*measure.Gateway, error) {
	return measure.Start(binary, fmt.Sprintf(`{
	admin {$ADMIN}
	auto_https off
	persist_config off
}
:{$PORT} {
	bind 127.0.0.1
	route /hook {
%s	}
	route /refuse {
		error 401
	}
	respond 404
}
`, handlers), "BENCH_SECRET="+secret)
}

// profile takes a CPU profile of each at the same time.
func (g gateways) profile(beginning string) error {
	failed := make(chan error, 1)
	go func() { failed <- profile(g.plain, beginning+".plain") }()
	err := profile(g.verifying, beginning+".verifying")
	return errors.Join(err, <-failed)
}

// profile takes ten seconds of CPU profile from Caddy's admin endpoint.
func profile(g *measure.Gateway, file string) error {
	res, err := http.Get("http://" + g.Admin + "/debug/pprof/profile?seconds=10")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	_, err = io.Copy(out, res.Body)
	return err
}
