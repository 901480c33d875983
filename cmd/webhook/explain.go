package webhook

import (
	"fmt"

	"github.com/hooklatch/hooklatch/cmd/webhook/internal/explain"
)

// maxExplained bounds, in bytes, the bodies that are searched for mistakes. The
// search writes a body anew and authenticates it many times over.
const maxExplained = 8 << 20

// explain finds the mistake behind a verdict.
func (r *result) explain(d *explain.Delivery) {
	if r.refusal == nil {
		r.findings = d.Accepted()
		return
	}
	if len(d.Body) > maxExplained {
		r.findings = []explain.Finding{{
			What: fmt.Sprintf("nothing was tried, because the body is larger than %d MiB", maxExplained>>20),
			Do:   "verify a smaller delivery of the same webhook; a mistake in the secret, the headers or the URL shows there too",
		}}
		return
	}
	r.findings = d.Refused(r.refusal.Reason)
	if r.findings == nil {
		r.tried, r.lookAt = d.Unexplained(r.refusal.Reason)
	}
}

// withAdvice adds to an error what would mend it.
func withAdvice(err error, found []explain.Finding) error {
	for _, f := range found {
		err = fmt.Errorf("%w; %s: %s", err, f.What, f.Do)
	}
	return err
}
