package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/hooklatch/hooklatch/e2e/measure"
)

// pageName is for -only.
const pageName = "page"

// measurePage prints what an open page of `webhook inspect` costs the gateway
// while deliveries arrive, by turns with no page.
func measurePage(binary string, g *measure.Gateway, rounds int, scale float64) error {
	const requests = 16000
	send := func() (measured, error) {
		return load(g, max(int(requests*scale), 2*connections), 204, deliveries("/hook", 2*kib, true, first, nil))
	}
	var pairs []pair
	pages := 0
	for range rounds {
		without, err := send()
		if err != nil {
			return err
		}
		reader, err := openPage(binary, g.Admin)
		if err != nil {
			return err
		}
		with, err := send()
		read, failed := reader.close()
		if err := errors.Join(err, failed); err != nil {
			return err
		}
		pairs, pages = append(pairs, pair{subject: with, base: without}), pages+read
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nload\tagainst\tCPU/request ratio\trequests/s ratio\tp99 ratio\tpages read\t")
	fmt.Fprintf(w, "2 KiB, new, an open page\tno page\t%.3f\t%.3f\t%.2f\t%d\t\n",
		median(pairs, func(p pair) float64 { return float64(p.subject.cpu) / float64(p.base.cpu) }),
		median(pairs, func(p pair) float64 { return p.subject.rate / p.base.rate }),
		median(pairs, func(p pair) float64 { return float64(p.subject.p99) / float64(p.base.p99) }), pages)
	return w.Flush()
}

// pageReader does what the page's script does.
type pageReader struct {
	cmd  *exec.Cmd
	stop context.CancelFunc
	done chan error
	read int
}

// newest is the number of the newest delivery on the page.
var newest = regexp.MustCompile(`data-newest="(\d+)"`)

// openPage starts `webhook inspect` and reads its page.
func openPage(binary, admin string) (*pageReader, error) {
	cmd := exec.Command(binary, "webhook", "inspect", "--address", admin)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = cmd.Process.Kill()
		return nil, errors.Join(err, cmd.Wait())
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &pageReader{cmd: cmd, stop: stop, done: make(chan error, 1)}
	go func() { r.done <- r.run(ctx, strings.TrimSpace(url)) }()
	return r, nil
}

// run loads the page, waits as the script does, and then for news.
func (r *pageReader) run(ctx context.Context, url string) error {
	for {
		began := time.Now()
		page, err := get(ctx, url)
		if ctx.Err() != nil {
			return nil
		}
		found := newest.FindSubmatch(page)
		if err != nil || found == nil {
			return fmt.Errorf("the page cannot be read: %w", err)
		}
		r.read++
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(min(10*time.Second, max(time.Second, 20*time.Since(began)))):
		}
		if _, err := get(ctx, url+"news?after="+string(found[1])); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

func get(ctx context.Context, url string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s: %s", res.Status, text)
	}
	return text, err
}

// close ends the page and returns how often it was read.
func (r *pageReader) close() (read int, err error) {
	r.stop()
	err = <-r.done
	_ = r.cmd.Process.Signal(syscall.SIGTERM)
	return r.read, errors.Join(err, r.cmd.Wait())
}
