package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/hooklatch/hooklatch/e2e/measure"
)

const secret = "bench-secret"

// gateways are processes of one binary, with Caddy's defaults but for their
// ports: one verifies, one has an inbox besides, and the plain one is what they
// are measured against. In one process, each would collect the other's garbage,
// and their memory could not be told apart.
type gateways struct{ verifying, inbox, plain *measure.Gateway }

// startGateways starts them; the inbox is in a folder.
func startGateways(binary, upstream, folder string) (g gateways, err error) {
	proxy := "\t\treverse_proxy " + upstream + "\n"
	for to, handlers := range map[**measure.Gateway]string{
		&g.verifying: "\t\tverify_webhook craneops {env.BENCH_SECRET}\n" + proxy,
		&g.inbox:     withInbox(filepath.Join(folder, "rescue.db")) + proxy,
		&g.plain:     proxy,
	} {
		if *to, err = start(binary, handlers); err != nil {
			g.stop()
			return g, err
		}
	}
	return g, nil
}

// withInbox is the directive with an inbox.
func withInbox(path string, options ...string) string {
	return fmt.Sprintf("\t\tverify_webhook craneops {env.BENCH_SECRET} {\n\t\t\tinbox file %s {\n\t\t\t\t%s\n\t\t\t}\n\t\t}\n",
		path, strings.Join(options, "\n\t\t\t\t"))
}

func (g gateways) stop() {
	for _, each := range []*measure.Gateway{g.verifying, g.inbox, g.plain} {
		if each != nil {
			each.Stop()
		}
	}
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

// profile takes a CPU profile of each at the same time. The files are named after
// the gateways.
func (g gateways) profile(beginning string) error {
	files := map[string]*measure.Gateway{".plain": g.plain, ".verifying": g.verifying, ".inbox": g.inbox}
	failed := make(chan error, len(files))
	for ending, gateway := range files {
		go func() { failed <- profile(gateway, beginning+ending) }()
	}
	var err error
	for range files {
		err = errors.Join(err, <-failed)
	}
	return err
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
