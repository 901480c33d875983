package module

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"testing"

	"github.com/hooklatch/hooklatch/module/replay"
	"github.com/hooklatch/hooklatch/schemes"
)

// TestKindsOfContentKeys holds the common keys to what histories have in them, and
// keeps a body apart from the id that has the same text.
func TestKindsOfContentKeys(t *testing.T) {
	keyOf := func(text string) (key replay.Key) {
		sum := sha256.Sum256([]byte(text))
		copy(key[:], sum[:])
		return key
	}
	none := &schemes.SignedHeaders{}
	withIDs, without := newKeyer("l", &schemes.Scheme{SignsID: true}, false), newKeyer("l", &schemes.Scheme{}, false)
	for _, c := range []struct {
		name string
		key  replay.Key
		want string
	}{
		{"id", withIDs.content(none, "evt_1", []byte("body")), "l\x00evt_1"},
		{"id, to forget it", idKey("l", "evt_1"), "l\x00evt_1"},
		{"body", without.content(none, "", []byte("evt_1")), "l\x00evt_1"},
		{"body and what is signed beside it", without.content(&schemes.SignedHeaders{Identity: []byte("6")}, "", []byte("body")), "l\x006\x00body"},
		{"body, with the send time", newKeyer("l", &schemes.Scheme{}, true).content(&schemes.SignedHeaders{SentAtText: "1"}, "", []byte("body")), "l\x001\x00body"},
		{"body that has no id where others have one", withIDs.content(none, "", []byte("evt_1")), "#content\x00l\x00evt_1"},
	} {
		if c.key != keyOf(c.want) {
			t.Errorf("%s: not the key of %q", c.name, c.want)
		}
	}
}

// TestBodyLikeAnID: a delivery without an id is not taken for the one whose id
// is its body.
func TestBodyLikeAnID(t *testing.T) {
	stripe := func(body string) http.Header {
		at := fmt.Sprint(testTime.Unix())
		return http.Header{"Stripe-Signature": {"t=" + at + ",v1=" + hex.EncodeToString(macUnder([]byte(testSecret), at, ".", body))}}
	}
	const event, like = `{"id":"evt_1","type":"paid"}`, "evt_1"
	for _, order := range [][]string{{event, like}, {like, event}} {
		g := newGateway(t, map[string]any{"scheme": "stripe"}, nil)
		for _, body := range order {
			expect(t, g.send(t, stripe(body), body), http.StatusNoContent, "")
			expect(t, g.send(t, stripe(body), body), http.StatusOK, "")
		}
		g.expectDelivered(t, order...)
	}
}
