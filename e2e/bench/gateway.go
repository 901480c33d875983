package main

import (
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/hooklatch/hooklatch/e2e/measure"
)

const secret = "bench-secret"

// startGateway runs a binary with Caddy's defaults, but for its ports.
func startGateway(binary, upstream string) (*measure.Gateway, error) {
	return measure.Start(binary, fmt.Sprintf(`{
	admin {$ADMIN}
	auto_https off
	persist_config off
}
:{$PORT} {
	bind 127.0.0.1
	route /plain {
		reverse_proxy %s
	}
	route /hook {
		verify_webhook craneops {env.BENCH_SECRET}
		reverse_proxy %s
	}
	route /refuse {
		error 401
	}
	respond 404
}
`, upstream, upstream), "BENCH_SECRET="+secret)
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
