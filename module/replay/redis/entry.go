package redis

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/hooklatch/hooklatch/module/replay"
)

// An event has one key, or two where the provider sends an occurrence ID:
//
//	<prefix><label>:c:<content in hex>     as in Webhook-Id
//	<prefix><label>:o:<occurrence in hex>
//
// Their names share no hash tag, so that a cluster spreads them. The values:
//
//	r:<owner>                              reserved
//	d:<unsigned>[:<occurrence in hex>]     delivered, of a content
//	d:<begin of the content in hex>        delivered, of an occurrence

func (h *history) contentKey(k replay.Key) string { return h.keys + "c:" + hex.EncodeToString(k[:]) }

func (h *history) occurrenceKey(k replay.Key) string { return h.keys + "o:" + hex.EncodeToString(k[:]) }

const (
	markReserved  = "r:"
	markDelivered = "d:"
)

// newOwner returns the value of a reservation. No other reservation has the
// same.
func newOwner() string {
	var random [12]byte
	_, _ = rand.Read(random[:]) // it ends the process instead of failing
	return markReserved + base64.RawURLEncoding.EncodeToString(random[:])
}

func deliveredContent(e replay.Event) string {
	value := markDelivered + hexed(e.Unsigned)
	if e.Occurrence != (replay.Key{}) {
		value += ":" + hex.EncodeToString(e.Occurrence[:])
	}
	return value
}

func hexed(unsigned uint64) string { return fmt.Sprintf("%016x", unsigned) }

// deliveredOccurrence returns the value of a delivered occurrence: the
// beginning of the content, because an occurrence ID that comes again with the
// same content is no conflict.
func deliveredOccurrence(content replay.Key) string {
	return markDelivered + hex.EncodeToString(content[:8])
}

// errForeign is returned for a value that this store has not written.
var errForeign = errors.New("a key of the history has a value that is not the history's; give it a prefix of its own")

func isReserved(value string) bool { return strings.HasPrefix(value, markReserved) }

// readContent parses the value of a delivered content. unsigned has the form
// that it has in deliveredContent.
func readContent(value string) (unsigned string, occurrence replay.Key, err error) {
	rest, ok := strings.CutPrefix(value, markDelivered)
	if !ok {
		return "", replay.Key{}, errForeign
	}
	unsigned, text, found := strings.Cut(rest, ":")
	if !found {
		return unsigned, occurrence, nil
	}
	decoded, err := hex.DecodeString(text)
	if err != nil || len(decoded) != len(occurrence) {
		return "", replay.Key{}, errForeign
	}
	return unsigned, replay.Key(decoded), nil
}
