// Command screenshots makes the pictures of the page in docs/images, with
// Chromium and the real binary, before an admin endpoint with made-up deliveries.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// picture is one of docs/images.
type picture struct {
	name          string
	path          string
	width, height int64
	scheme        string
}

var pictures = []picture{
	{"inspector.png", "", 1120, 860, "light"},
	{"inspector-dark.png", "", 1120, 860, "dark"},
	{"inspector-delivery.png", fmt.Sprint(refusedNumber), 1120, 1180, "light"},
	{"inspector-telephone.png", "", 390, 780, "light"},
}

func main() {
	binary := flag.String("binary", "../bin/hooklatch", "the binary whose page is shown")
	folder := flag.String("out", "../docs/images", "where the pictures go")
	flag.Parse()
	if err := run(*binary, *folder); err != nil {
		log.Fatal(err)
	}
}

func run(binary, folder string) error {
	admin := httptest.NewServer(newGateway(time.Now()))
	defer admin.Close()
	cmd := exec.Command(binary, "webhook", "inspect", "--address", strings.TrimPrefix(admin.URL, "http://"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	}()
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return fmt.Errorf("reading the page's address: %w", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.WSURLReadTimeout(time.Minute))
	if os.Geteuid() == 0 { // Chromium refuses to run as root in its sandbox
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	defer stop()
	ctx, closeBrowser := chromedp.NewContext(allocator)
	defer closeBrowser()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, p := range pictures {
		if err := p.take(ctx, strings.TrimSpace(address), folder); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

func (p picture) take(ctx context.Context, address, folder string) error {
	look := func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: p.scheme},
			{Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		return err
	}
	err := chromedp.Do(ctx,
		chromedp.EmulateViewport(p.width, p.height),
		chromedp.Func(look),
		chromedp.Navigate(address+p.path),
		// The name of the test's own endpoint says nothing.
		chromedp.Evaluate[chromedp.Void](`void (document.querySelector('.gateway').textContent = 'localhost:2019')`),
	)
	if err != nil {
		return err
	}
	shot, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, p.name), shot, 0o644)
}
