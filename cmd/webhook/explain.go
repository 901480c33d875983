package webhook

import (
	"context"
	"fmt"

	"github.com/hooklatch/hooklatch/schemes/explain"
)

// explain finds the mistake behind a verdict.
func (r *result) explain(ctx context.Context, d *explain.Delivery) {
	if r.accepted() {
		r.explanation = explain.Explanation{Findings: d.Accepted(), Proven: true, Finished: true}
		return
	}
	r.explanation = d.Refused(ctx, r.refusal.Reason())
}

// withAdvice adds the findings to an error.
func withAdvice(err error, found []explain.Finding) error {
	for _, f := range found {
		err = fmt.Errorf("%w; %s: %s", err, f.What, f.Do)
	}
	return err
}
