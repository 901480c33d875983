package main

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hooklatch/hooklatch/e2e/measure"
)

// connections are kept open and send one request after the other.
const connections = 8

// request makes the n-th request of a load, headers and body.
type request func(n uint64) []byte

// measured is what a load cost.
type measured struct {
	cpu     time.Duration // of the gateway, per request
	rate    float64       // requests a second
	p99     time.Duration
	peakKiB int64
}

var serial atomic.Uint64

// load sends requests and measures the gateway meanwhile. They are made before,
// because to make and sign one takes longer than to send it.
func load(g *measure.Gateway, requests, status int, next request) (measured, error) {
	return loadOver(connections, g, requests, status, next)
}

// loadOver sends over so many connections.
func loadOver(connections int, g *measure.Gateway, requests, status int, next request) (measured, error) {
	ready := make([][]byte, requests)
	for i := range ready {
		ready[i] = next(serial.Add(1))
	}
	runtime.GC() // now, and not while it is measured
	g.ResetPeak()
	before, err := g.CPU()
	if err != nil {
		return measured{}, err
	}
	began := time.Now()
	var sent atomic.Int64
	took := make([][]time.Duration, connections)
	failed := make([]error, connections)
	var group sync.WaitGroup
	for i := range connections {
		group.Go(func() { took[i], failed[i] = sendAll(g.Addr, ready, &sent, status) })
	}
	group.Wait()
	elapsed := time.Since(began)
	after, err := g.CPU()
	if err != nil {
		return measured{}, err
	}
	for _, err := range failed {
		if err != nil {
			return measured{}, err
		}
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	return measured{
		cpu:     (after - before) / time.Duration(len(all)),
		rate:    float64(len(all)) / elapsed.Seconds(),
		p99:     all[len(all)*99/100],
		peakKiB: g.Peak(),
	}, nil
}

func sendAll(addr string, ready [][]byte, sent *atomic.Int64, status int) ([]time.Duration, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	var took []time.Duration
	for {
		n := sent.Add(1)
		if n > int64(len(ready)) {
			return took, nil
		}
		began := time.Now()
		if _, err := conn.Write(ready[n-1]); err != nil {
			return nil, err
		}
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			return nil, err
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		took = append(took, time.Since(began))
		if res.StatusCode != status {
			return nil, fmt.Errorf("status %d, want %d", res.StatusCode, status)
		}
	}
}

// place is where in a body the member stands that the gateway looks for.
type place string

const (
	first  place = "first"
	last   place = "last"
	absent place = "absent"
)

// jsonBody makes a body of a size that has a number in it.
func jsonBody(size int, n uint64, wanted place) []byte {
	head, tail := fmt.Sprintf(`{"n":"%016x",`, n), `"}`
	switch wanted {
	case first:
		head = fmt.Sprintf(`{"event":"bench","n":"%016x",`, n)
	case last:
		tail = `","event":"bench"}`
	}
	head += `"x":"`
	body := make([]byte, size)
	for i := range body {
		body[i] = 'a' + byte(i%26)
	}
	copy(body, head)
	copy(body[size-len(tail):], tail)
	return body
}

// deliveries makes deliveries of a size to a path; with fresh each has a body
// of its own, otherwise all have the same one. forge spoils the signature.
func deliveries(path string, size int, fresh bool, wanted place, forge func(signature []byte) []byte) request {
	return func(n uint64) []byte {
		if !fresh {
			n = 0
		}
		body := jsonBody(size, n, wanted)
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		signature := []byte(hex.EncodeToString(mac.Sum(nil)))
		if forge != nil {
			signature = forge(signature)
		}
		head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nX-CraneOps-Event: bench\r\nX-CraneOps-Signature: %s\r\nContent-Length: %d\r\n\r\n", path, signature, size)
		return append([]byte(head), body...)
	}
}
