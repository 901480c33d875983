package inspector

import "fmt"

// advice says what a reason means, and what to change.
type advice struct{ Means, Change string }

// advised holds the general advice for each reason. A finding about the
// delivery itself takes precedence.
var advised = map[string]advice{
	"method_not_allowed": {
		"The request has a method that this endpoint does not take.",
		"Deliveries are POST. If the provider sends another method, name it in the option methods. A browser or a health check that opens the address looks like this too, and needs nothing.",
	},
	"missing_signature": {
		"The request has no signature header of this scheme.",
		"If it came from the provider: switch signing on there, check that the scheme is this provider's, and that no proxy removes the header. If it is a scanner or a health check, there is nothing to do.",
	},
	"malformed_signature": {
		"The signature header is repeated, too long, or not of the scheme's form.",
		"Check that the scheme is this provider's, in the right version, and that no proxy joins, repeats or shortens headers.",
	},
	"missing_signed_header": {
		"A header that takes part in the signature is absent.",
		"Let the proxies before the gateway pass on all headers of the provider.",
	},
	"malformed_signed_header": {
		"A header that takes part in the signature is repeated, or not of the scheme's form.",
		"Check that no proxy rewrites or repeats the provider's headers.",
	},
	"body_too_large": {
		"The body is larger than max_body.",
		"Raise max_body if the provider sends bodies of this size.",
	},
	"overloaded": {
		"The bodies in memory have reached max_buffered. The provider was told to come again.",
		"Look for an application that answers slowly, then raise max_buffered, if the machine has the memory.",
	},
	"body_timeout": {
		"The whole body did not arrive within body_timeout.",
		"A slow or stalled sender. If it is the provider, look at the network and the proxies between, then raise body_timeout.",
	},
	"body_incomplete": {
		"The sender's connection ended before its body did.",
		"Look at the proxies between, and at their limits for bodies and time. The provider's retry is accepted.",
	},
	"unknown_tenant": {
		"No tenant of this name has a secret.",
		"Write the tenant's file, or correct the address that the tenant gave to the provider. No reload is needed.",
	},
	"tenant_unavailable": {
		"The tenant's file gives no secret, or its folder is gone. The provider was told to come again.",
		"Write a secret into the file. The gateway's log has its path.",
	},
	"no_key": {
		"The provider's public key could not be fetched. The provider was told to come again.",
		"Let the gateway reach the provider's address for keys. The gateway's log has it.",
	},
	"signature_mismatch": {
		"None of the configured secrets produces this signature for this body.",
		"Copy the secret of this very endpoint from the provider again: test and live mode often have different ones. If the secret is right, the body was changed on the way: look at the proxies before the gateway.",
	},
	"no_signed_time": {
		"The delivery is authentic, but has no time that it could be judged by.",
		"Remove tolerance for this provider, or have the provider sign a time.",
	},
	"stale": {
		"The delivery is authentic, but was signed too long ago.",
		"Check the gateway's clock. If the provider repeats old deliveries with their first time, raise tolerance. A replayed capture looks like this too.",
	},
	"future": {
		"The delivery is authentic, but its time lies in the future.",
		"Set the gateway's clock. If it is right, the provider's is not: allow for it with the second value of tolerance.",
	},
	"store_unavailable": {
		"The history could not be asked. The provider was told to come again.",
		"Look at the history's store, Redis or the file. The gateway's log has the error. Retries are accepted once it answers.",
	},
	"in_flight": {
		"The same event was being handled at that moment. The provider was told to come again.",
		"Nothing, if it happens now and then. If it happens often, the application answers later than the provider waits.",
	},
	"conflict": {
		"The body was delivered before, under another event ID or type, which are not signed.",
		"A capture that somebody dressed up, or a provider that sends one body as two events. For the latter, write on_conflict forward.",
	},
	"no_answer": {
		"The delivery is authentic, but the application did not answer it in time, or at all.",
		"Look at the application. If it needs longer, raise answer_within, or answer first and work later.",
	},
}

var unknownReason = advice{
	"The scheme refused it for a reason of its own.",
	"The gateway's log has a sentence about it.",
}

// adviceFor returns the advice for a delivery that did not arrive.
func adviceFor(d *delivery) advice {
	if d.Reason != "" {
		a, known := advised[d.Reason]
		if !known {
			a = unknownReason
		}
		if d.Hint != "" {
			a.Means = sentence(d.Hint)
		}
		return a
	}
	switch d.Inbox {
	case "kept", "again":
		return advice{
			fmt.Sprintf("The delivery is authentic. The application %s, so the inbox keeps it and asks again.", answered(d)),
			"Look at the application. Nothing is lost meanwhile.",
		}
	case "dead":
		return advice{
			fmt.Sprintf("The delivery is authentic. The application %s, and the inbox has given up.", answered(d)),
			"Fix the application, then let the inbox try again.",
		}
	}
	return advice{
		fmt.Sprintf("The delivery is authentic and reached the application, which %s.", answered(d)),
		"Look at the application. The provider's next retry is passed on.",
	}
}

func answered(d *delivery) string {
	if d.Application == 0 {
		return "did not answer"
	}
	return fmt.Sprintf("answered %d", d.Application)
}

// outcome is the result of a delivery, in one word that the style sheet knows.
type outcome string

const (
	arrived   outcome = "arrived"   // the application took it
	refused   outcome = "refused"   // Hooklatch did not let it through
	failed    outcome = "failed"    // the application did not take it
	kept      outcome = "kept"      // the inbox has it
	duplicate outcome = "duplicate" // the application had taken it before
)

// outcomes are in the order in which the page shows them.
var outcomes = []outcome{arrived, duplicate, kept, failed, refused}

func (o outcome) words() string {
	return map[outcome]string{
		arrived: "arrived", duplicate: "came again", kept: "kept in the inbox",
		failed: "failed at the application", refused: "refused",
	}[o]
}

// Outcome returns the outcome of the delivery.
func (d *delivery) Outcome() outcome {
	switch d.Verdict {
	case "rejected":
		return refused
	case "duplicate":
		return duplicate
	}
	switch answer := d.Application; {
	case d.Inbox == "kept" || d.Inbox == "again":
		return kept
	case d.Inbox == "dead", d.Reason != "":
		return failed
	case answer == 0 && d.Status < 300, answer >= 200 && answer < 300:
		return arrived
	}
	return failed
}

// lost reports whether the delivery has not arrived, so that an operator will
// ask why.
func (d *delivery) lost() bool {
	o := d.Outcome()
	return o == refused || o == failed || o == kept
}
