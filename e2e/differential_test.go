package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// `make differential` tries far more.
var (
	executions = flag.Int("executions", 6_000, "how many random deliveries are compared with the providers' libraries, all schemes together")
	seed       = flag.Uint64("seed", 1, "where the random deliveries begin")
)

// TestDifferential: a randomly changed delivery gets the same verdict from
// Hooklatch and from the provider's own library, or the difference is a known
// one.
func TestDifferential(t *testing.T) {
	t.Parallel()
	libraries := officialLibraries(t)
	judge := harness.Must(t, builtJudge)
	share := *executions / 24
	for _, s := range specimens() {
		times := share
		if s.located {
			times = 5 * share
		}
		t.Run(s.name, func(t *testing.T) {
			compare(t, s, judge, slices.DeleteFunc(s.libraries(libraries), func(l library) bool { return !l.Verifies }), times)
		})
	}
}

// TestDifferencesAreDocumented: the documentation lists every known difference.
func TestDifferencesAreDocumented(t *testing.T) {
	t.Parallel()
	_, page, _ := strings.Cut(contents(t, "../docs/providers.md"), "## Where Hooklatch and the libraries differ\n")
	refused, accepted, _ := strings.Cut(page, "Hooklatch accepts, and a library refuses:")
	for _, d := range differences {
		if table := map[bool]string{false: refused, true: accepted}[d.accepts]; !strings.Contains(table, "| "+d.name+" |") {
			t.Errorf("docs/providers.md does not say why %s (accepted: %t)", d.name, d.accepts)
		}
	}
}

// builtJudge builds the program that verifies deliveries with Hooklatch's
// schemes.
var builtJudge = sync.OnceValues(func() (string, error) {
	output := filepath.Join(harness.WorkDir, "judge")
	cmd := exec.Command("go", "build", "-o", output, "./schemes/schemestest/judge")
	cmd.Dir = ".."
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the judge: %w\n%s", err, said)
	}
	return output, nil
})

func compare(t *testing.T, s specimen, judge string, libraries []library, times int) {
	const atOnce = 500
	counts, accepted, shown := map[string]int{}, 0, 0
	for done := 0; done < times; done += atOnce {
		now := time.Now().Truncate(time.Second)
		trials := make([]trial, min(atOnce, times-done))
		for i := range trials {
			trials[i] = s.trialOf(rng{rand.New(rand.NewPCG(*seed, uint64(done+i)))}, now)
		}
		ours := verdicts(t, []string{judge}, "", trials)
		theirs := make([][]verdict, len(libraries))
		for i, l := range libraries {
			theirs[i] = verdicts(t, l.command, l.Name, trials)
		}
		for i := range trials {
			if ours[i] == "" {
				accepted++
				if !trials[i].authentic() {
					t.Errorf("accepted, and nothing that was sent is its signature: %s", &trials[i])
				}
			}
			for j, l := range libraries {
				if (ours[i] == "") == (theirs[j][i] == "") {
					continue
				}
				d := disagreement{trial: &trials[i], library: l, ours: ours[i], theirs: theirs[j][i]}
				for k := range libraries {
					d.agrees = d.agrees || (theirs[k][i] == "") == (ours[i] == "")
				}
				name := d.why()
				counts[name]++
				if name == "" {
					if shown++; shown <= 8 {
						t.Errorf("%s\n%v: %s\nHooklatch: %s", &trials[i], l, inWords(theirs[j][i]), inWords(ours[i]))
					}
				}
			}
		}
	}
	if n := counts[""]; n > 0 {
		t.Errorf("%d differences without a name", n)
	}
	t.Logf("%d executions with %v: %d accepted; differences: %v", times, libraries, accepted, counts)
	if accepted < times/10 {
		t.Errorf("only %d of %d were accepted", accepted, times)
	}
}

func inWords(v verdict) string {
	if v == "" {
		return "accepted"
	}
	return "refused, " + string(v)
}

func (c *trial) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, changed: %s\nsecret %q, at %d, URL %q\n", c.name, strings.Join(c.changes, ", "), c.secret, c.now.Unix(), c.url)
	for _, h := range c.headers {
		fmt.Fprintf(&b, "%s: %q\n", h.Name, h.Value)
	}
	fmt.Fprintf(&b, "body %q", c.body)
	return b.String()
}

// verdicts returns a program's verdicts on all trials.
func verdicts(t *testing.T, command []string, name string, trials []trial) []verdict {
	t.Helper()
	p := harness.Helper(t, command[0], command[1:]...)
	all := make([]verdict, len(trials))
	err := p.AskMany(len(trials), func(i int) any {
		c := &trials[i]
		q := question{
			Library: name, Scheme: c.name, Secret: c.secret, Body: harness.NonNil(c.body), Now: c.now.UnixMilli(), URL: c.url,
			Headers: append(harness.Pairs(c.headers), [2]string{"Content-Type", "application/json"}), Method: "POST", JudgeTime: c.scheme == "linear",
		}
		if name == "" {
			q.Scheme = c.scheme
		}
		return q
	}, func(i int, line []byte) error {
		var a said
		if err := json.Unmarshal(line, &a); err != nil || a.Error != "" {
			return fmt.Errorf("%v: %w %s\n%s", command, err, a.Error, &trials[i])
		}
		if a.Accepted == (a.Refused != "") {
			return fmt.Errorf("%v says neither yes nor no: %s\n%s", command, line, &trials[i])
		}
		all[i] = verdict(a.Refused)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
