package main

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/PaddleHQ/paddle-go-sdk/v4"
	"github.com/sendgrid/sendgrid-go/helpers/eventwebhook"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stripe/stripe-go/v83/webhook"
	twilio "github.com/twilio/twilio-go/client"
)

// library is how one of them is asked to sign or to verify a delivery of one
// scheme. verify returns what the library says against it.
type library struct {
	module     string
	scheme     string
	sign       func(delivery) ([][2]string, error)
	verify     func(delivery) error
	judgesTime bool // refuses what was sent long ago
}

const standardModule = "github.com/standard-webhooks/standard-webhooks/libraries"

var libraries = []library{
	{standardModule, "standard", signStandard, verifyStandard, true},
	// GitLab has no library of its own for this, and names Standard Webhooks.
	{standardModule, "gitlab", signStandard, verifyStandard, true},
	{"github.com/stripe/stripe-go/v83", "stripe", signStripe, verifyStripe, true},
	{"github.com/twilio/twilio-go", "twilio", nil, verifyTwilio, false},
	{"github.com/PaddleHQ/paddle-go-sdk/v4", "paddle", nil, verifyPaddle, true},
	{"github.com/sendgrid/sendgrid-go", "sendgrid", nil, verifySendGrid, false},
}

var errNo = errors.New("it said no")

func find(module, scheme string) *library {
	for i, l := range libraries {
		if l.module == module && l.scheme == scheme {
			return &libraries[i]
		}
	}
	return nil
}

func signStandard(d delivery) ([][2]string, error) {
	w, err := standardwebhooks.NewWebhook(d.Secret)
	if err != nil {
		return nil, err
	}
	signature, err := w.Sign(d.ID, d.at, d.Body)
	if err != nil {
		return nil, err
	}
	return [][2]string{
		{standardwebhooks.HeaderWebhookID, d.ID},
		{standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(d.at.Unix(), 10)},
		{standardwebhooks.HeaderWebhookSignature, signature},
	}, nil
}

func verifyStandard(d delivery) error {
	w, err := standardwebhooks.NewWebhook(d.Secret)
	if err != nil {
		return err
	}
	return w.Verify(d.Body, d.header)
}

func signStripe(d delivery) ([][2]string, error) {
	signed := webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{
		Payload: d.Body, Secret: d.Secret, Timestamp: d.at,
	})
	return [][2]string{{"Stripe-Signature", signed.Header}}, nil
}

func verifyStripe(d delivery) error {
	return webhook.ValidatePayload(d.Body, d.header.Get("Stripe-Signature"), d.Secret)
}

func verifyTwilio(d delivery) error {
	v := twilio.NewRequestValidator(d.Secret)
	return yes(v.ValidateBody(d.URL, d.Body, d.header.Get("X-Twilio-Signature")), nil)
}

func verifyPaddle(d delivery) error {
	r, err := http.NewRequest(http.MethodPost, d.URL, bytes.NewReader(d.Body))
	if err != nil {
		return err
	}
	r.Header = d.header
	// Without this option the library judges no time.
	v := paddle.NewWebhookVerifier(d.Secret, paddle.VerifierWithTimestampTolerance(5*time.Minute))
	return yes(v.Verify(r))
}

func verifySendGrid(d delivery) error {
	key, err := eventwebhook.ConvertPublicKeyBase64ToECDSA(d.Secret)
	if err != nil {
		return err
	}
	signature, at := d.header.Get(eventwebhook.VerificationHTTPHeader), d.header.Get(eventwebhook.TimestampHTTPHeader)
	return yes(eventwebhook.VerifySignature(key, d.Body, signature, at))
}

// yes is an error if a library failed or said no.
func yes(said bool, err error) error {
	if err == nil && !said {
		return errNo
	}
	return err
}
