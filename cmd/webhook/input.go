package webhook

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

const (
	// maxInput is the largest body, in bytes.
	maxInput = 64 << 20
	// maxHeaderBytes is the largest file of headers, in bytes. Caddy accepts no
	// more in a request.
	maxHeaderBytes = 1 << 20
)

// oneFile accepts at most one argument, the file with the body.
func oneFile(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return end(cmd, errors.New("too many arguments; write one FILE, or none for standard input, and quote values that have blanks in them"))
	}
	return nil
}

// readBody reads the file that is the argument, or standard input.
func readBody(cmd *cobra.Command, args []string) ([]byte, error) {
	var (
		body []byte
		err  error
	)
	if len(args) == 0 || args[0] == "-" {
		body, err = readAll(cmd.InOrStdin(), maxInput)
	} else {
		body, err = readFile(args[0], maxInput)
	}
	if err != nil {
		return nil, fmt.Errorf("the body cannot be read: %w; write FILE, or - for standard input", err)
	}
	return body, nil
}

// readFile reads a file up to a size. Its errors do not repeat the path.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the user chooses it
	if err != nil {
		return nil, withoutPath(err)
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Size() > limit {
		return nil, tooLarge(limit)
	}
	return readAll(f, limit)
}

func readAll(r io.Reader, limit int64) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, withoutPath(err)
	}
	if int64(len(content)) > limit {
		return nil, tooLarge(limit)
	}
	return content, nil
}

func tooLarge(limit int64) error { return fmt.Errorf("it is larger than %d MiB", limit>>20) }

func withoutPath(err error) error {
	if of, ok := errors.AsType[*fs.PathError](err); ok {
		return of.Err
	}
	return err
}

// timeOr reads an option that is a time. It accepts times until the year 2286:
// larger numbers are milliseconds by mistake, and no provider can send them as
// seconds.
func timeOr(o *option, now func() time.Time) (time.Time, error) {
	const latest = 9_999_999_999
	if o.text == "" {
		return now(), nil
	}
	if at, err := time.Parse(time.RFC3339, o.text); err == nil && at.Unix() >= 0 && at.Unix() <= latest {
		return at, nil
	}
	seconds, err := strconv.ParseUint(o.text, 10, 63)
	if err != nil || seconds > latest {
		return time.Time{}, fmt.Errorf("--%s is not a time; write RFC 3339 such as 2026-01-31T12:00:00Z, or Unix seconds", o.name)
	}
	return time.Unix(int64(seconds), 0), nil
}
