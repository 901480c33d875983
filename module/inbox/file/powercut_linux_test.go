package file

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestPowerCut records every write and every sync of a child, and simulates a
// power cut after each of them: writes that were not synced are lost, or half
// of them is there. Every delivery that the child has reported as kept must
// still exist. Without THOROUGH the child keeps fewer deliveries.
func TestPowerCut(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	deliveries, least := 24, 200
	if !thorough {
		deliveries, least = 6, 50
	}
	folder := t.TempDir()
	path, trace := filepath.Join(folder, "inbox.db"), filepath.Join(t.TempDir(), "trace")
	out, err := child(path, 0, uint64(deliveries), strace, "-f", "-y", "-xx", "-s", "10000000", "-o", trace,
		"-e", "trace=openat,mkdirat,write,pwrite64,ftruncate,fsync,fdatasync,unlinkat,unlink,renameat,renameat2,rename").CombinedOutput()
	if err != nil {
		t.Skipf("strace does not run here: %v %s", err, out)
	}
	d := &disk{folder: folder, files: map[string]*file{}}
	said, cuts := told{}, 0
	r := rand.New(rand.NewPCG(3, 4))
	for _, call := range readTrace(t, trace) {
		line, synced := d.apply(t, call)
		if line != "" {
			said.read(line)
		}
		if len(said) == 0 || line == "" && !synced {
			continue
		}
		for _, half := range []bool{false, true} {
			image := filepath.Join(imageFolder(t), "inbox.db")
			d.cut(t, filepath.Dir(image), half, r)
			said.holds(t, image, fmt.Sprintf("cut %d, with half of what was not synced: %v, after %s", cuts, half, call.name))
			_ = os.RemoveAll(filepath.Dir(image))
			cuts++
		}
	}
	t.Logf("%d cuts, %d deliveries", cuts, len(said))
	if cuts < least || len(said) != deliveries {
		t.Errorf("%d cuts, %d deliveries", cuts, len(said))
	}
}

// imageFolder returns a folder in memory if possible, because images are opened
// often.
func imageFolder(t *testing.T) string {
	t.Helper()
	if folder, err := os.MkdirTemp("/dev/shm", "inbox"); err == nil {
		t.Cleanup(func() { _ = os.RemoveAll(folder) })
		return folder
	}
	return t.TempDir()
}

// call is a system call that has returned.
type call struct {
	name, args, result string
}

// readTrace parses the output of strace. A call that another thread interrupts
// counts when it returns.
func readTrace(t *testing.T, path string) (calls []call) {
	t.Helper()
	content, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	unfinished := map[string]string{}
	padded := regexp.MustCompile(`\)\s+= `)
	whole := regexp.MustCompile(`^(\w+)\((.*)\) = (.*)$`)
	lines := bufio.NewScanner(content)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		pid, text, _ := strings.Cut(lines.Text(), " ")
		text = strings.TrimSpace(text)
		if begun, ok := strings.CutSuffix(text, " <unfinished ...>"); ok {
			unfinished[pid] = begun
			continue
		}
		if _, rest, ok := strings.Cut(text, " resumed>"); ok && strings.HasPrefix(text, "<... ") {
			text = unfinished[pid] + rest
		}
		text = padded.ReplaceAllString(text, ") = ")
		if m := whole.FindStringSubmatch(text); m != nil {
			calls = append(calls, call{m[1], m[2], m[3]})
		}
	}
	if err := lines.Err(); err != nil || len(calls) == 0 {
		t.Fatalf("%d calls (%v)", len(calls), err)
	}
	return calls
}

// disk is the state that a file system may have after a power cut.
type disk struct {
	folder string
	files  map[string]*file // by path
}

type file struct {
	now, synced []byte
	writes      []change // since the last sync
	there       bool
	named       bool // the folder has been synced since it was created
}

// change is a write that was not synced. Without bytes, it is a new length.
type change struct {
	at    int64
	bytes []byte
}

func (c change) to(b []byte) []byte {
	if c.bytes == nil {
		if c.at <= int64(len(b)) {
			return b[:c.at]
		}
		return append(b, make([]byte, c.at-int64(len(b)))...)
	}
	if end := c.at + int64(len(c.bytes)); end > int64(len(b)) {
		b = append(b, make([]byte, end-int64(len(b)))...)
	}
	copy(b[c.at:], c.bytes)
	return b
}

var (
	onFile   = regexp.MustCompile(`^(\d+)<([^>]*)>`)
	inQuotes = regexp.MustCompile(`"((?:\\x[0-9a-f]{2})*)"`)
)

func unhex(text string) string {
	if !strings.HasPrefix(text, `\x`) {
		return text
	}
	s, _ := strconv.Unquote(`"` + text + `"`)
	return s
}

// apply applies a call. It returns a line that was printed, and whether the
// call made something durable.
func (d *disk) apply(t *testing.T, c call) (line string, synced bool) {
	t.Helper()
	if strings.HasPrefix(c.result, "-1") {
		return "", false
	}
	m := onFile.FindStringSubmatch(c.args)
	var path string
	if m != nil {
		path = unhex(m[2])
	}
	text := ""
	if q := inQuotes.FindStringSubmatch(c.args); q != nil {
		text = unhex(q[1])
	}
	if c.name == "write" && m != nil && m[1] == "1" {
		return text, false
	}
	if c.name == "openat" {
		if r := onFile.FindStringSubmatch(c.result); r != nil {
			path = unhex(r[2])
		}
		if strings.Contains(c.args, "O_CREAT") && strings.HasPrefix(path, d.folder) && (d.files[path] == nil || !d.files[path].there) {
			d.files[path] = &file{there: true}
		}
		return "", false
	}
	if strings.HasPrefix(c.name, "rename") {
		t.Fatalf("a call that this test does not know: %s", c.name)
	}
	if strings.HasPrefix(c.name, "unlink") {
		if f := d.files[text]; f != nil {
			f.there = false
		}
		return "", false
	}
	if f := d.files[path]; f != nil {
		return "", f.apply(t, c, text)
	}
	if c.name == "fsync" {
		for name, f := range d.files {
			if filepath.Dir(name) == path {
				f.named = f.there
			}
		}
		return "", true
	}
	return "", false
}

func (f *file) apply(t *testing.T, c call, text string) (synced bool) {
	t.Helper()
	args := strings.Split(c.args, ", ")
	last, _ := strconv.ParseInt(args[len(args)-1], 10, 64)
	switch c.name {
	case "fsync", "fdatasync":
		f.synced, f.writes = append([]byte{}, f.now...), nil
		return true
	case "ftruncate":
		f.writes = append(f.writes, change{at: last})
	case "pwrite64":
		f.writes = append(f.writes, change{last, []byte(text)})
	case "write":
		f.writes = append(f.writes, change{int64(len(f.now)), []byte(text)})
	default:
		t.Fatalf("a call that this test does not know: %s", c.name)
	}
	f.now = f.writes[len(f.writes)-1].to(f.now)
	return false
}

// cut writes the state after a power cut to a folder.
func (d *disk) cut(t *testing.T, to string, half bool, r *rand.Rand) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(to, "inbox.db.bodies"), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, f := range d.files {
		left := append([]byte{}, f.synced...)
		if !f.named && (!half || r.IntN(2) == 0) {
			continue
		}
		for _, w := range f.writes {
			if half && r.IntN(2) == 0 {
				left = w.to(left)
			}
		}
		relative, err := filepath.Rel(d.folder, path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, relative), left, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
