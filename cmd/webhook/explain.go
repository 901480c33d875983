package webhook

import (
	"fmt"

	"github.com/hooklatch/hooklatch/schemes/explain"
)

// explain finds the mistake behind a verdict.
func (r *result) explain(d *explain.Delivery) {
	if r.refusal == nil {
		r.findings = d.Accepted()
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
