package engine

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Verifier verifies the deliveries of one scheme with one or more secrets. It
// is safe for concurrent use.
type Verifier struct {
	scheme         *Implementation
	window         Window
	now            func() time.Time
	public         PublicURL // if it is set
	keys           []verifierKey
	hashers        []func() hash.Hash
	usable         uint // the variants of the keys, as bits
	publicVariants uint // the variants of the public keys, as bits

	bodyBegins []byte
	begins     error     // the refusal of a body that does not begin with bodyBegins
	pool       sync.Pool // of *Verification: a keyed HMAC costs two hash blocks to set up
}

type verifierKey struct {
	Key
	secret int // position in the configuration, from 1
	hasher int // its position in hashers, or noHasher
}

// noHasher marks Ed25519 keys, which verify the message itself.
const noHasher = -1

// maxPublicKeys bounds, with MaxPublicSignatures, the work that a delivery can
// cause: each signature is tried with each public key of its variant, and
// Ed25519 hashes the body every time.
const maxPublicKeys = 4

// NewVerifier returns a verifier for a registered scheme and the secrets, any
// one of which may match. Without options it checks a signed send time against
// the system's clock with DefaultTolerance. The error is a *SecretError for a
// secret that is empty or cannot be decoded.
func NewVerifier(scheme string, secrets []string, options ...Option) (*Verifier, error) {
	s, ok := registry[scheme]
	if !ok {
		return nil, fmt.Errorf("no scheme has this name; write one of %s", strings.Join(Names(), ", "))
	}
	return s.NewVerifier(secrets, options...)
}

var errNoScheme = errors.New("no scheme")

// NewVerifier is like the function NewVerifier, for a scheme that need not be
// registered.
func (s Scheme) NewVerifier(secrets []string, options ...Option) (*Verifier, error) {
	i := s.show()
	switch {
	case i == &noScheme:
		return nil, errNoScheme
	case len(secrets) == 0:
		return nil, errors.New("no secret")
	}
	v := &Verifier{scheme: i, now: time.Now, bodyBegins: []byte(i.BodyBegins), begins: Refuse(
		SignatureMismatch, "the body does not begin with "+i.BodyBegins+", so it cannot be told from what is signed in front of it",
	)}
	v.window = s.Window()
	for _, option := range options {
		if err := option(v); err != nil {
			return nil, err
		}
	}
	for at, secret := range secrets {
		keys, err := s.Keys(secret)
		if err != nil {
			return nil, &SecretError{Position: at + 1, Err: err}
		}
		for _, key := range keys {
			v.add(key, at+1)
		}
	}
	if n := v.countPublic(); n > maxPublicKeys {
		return nil, fmt.Errorf("%d public keys; write %d or fewer, each of them is tried on every signature", n, maxPublicKeys)
	}
	v.pool.New = func() any { return v.newVerification() }
	return v, nil
}

// add adds a key. All ECDSA keys share the hasher of one digest; each HMAC key
// has its own.
func (v *Verifier) add(key Key, secret int) {
	k := verifierKey{Key: key, secret: secret, hasher: len(v.hashers)}
	v.usable |= 1 << key.Variant
	if key.Algorithm.public() {
		v.publicVariants |= 1 << key.Variant
	}
	switch key.Algorithm {
	case Ed25519:
		k.hasher = noHasher
	case ECDSAP256:
		for _, other := range v.keys {
			if other.Algorithm == ECDSAP256 {
				k.hasher = other.hasher
			}
		}
		if k.hasher == len(v.hashers) {
			v.hashers = append(v.hashers, sha256.New)
		}
	default:
		v.hashers = append(v.hashers, func() hash.Hash {
			return hmac.New(algorithms[key.Algorithm].hash, key.Secret)
		})
	}
	v.keys = append(v.keys, k)
}

func (v *Verifier) countPublic() (n int) {
	for i := range v.keys {
		if v.keys[i].Algorithm.public() {
			n++
		}
	}
	return n
}

// Keys turns a configured secret into the keys that it can stand for, the
// likeliest first. It makes the checks that apply to every implementation. Its
// errors never contain the secret.
func (s Scheme) Keys(secret string) ([]Key, error) {
	i := s.show()
	switch {
	case i == &noScheme:
		return nil, errNoScheme
	case secret == "":
		return nil, errEmptySecret
	}
	keys, err := i.Keys(secret)
	if err != nil {
		return nil, err
	}
	for at := range keys {
		if err := keys[at].check(); err != nil {
			return nil, err
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("makes no key")
	}
	return keys, nil
}

// Scheme returns the verifier's scheme.
func (v *Verifier) Scheme() Scheme { return Scheme{v.scheme} }

// Verify checks the signature and then the signed time of a delivery whose body
// has been read, and returns its event. The event is empty if there is an
// error. A delivery with any error must not be processed; errors.Is(err,
// ErrStale) and the other errors of this package say why.
//
// The request's headers, and where the scheme signs them its method and URL,
// must be as the sender wrote them. Its Body is not read.
func (v *Verifier) Verify(r *http.Request, body []byte) (Event, error) {
	d, err := v.BeginShared(RequestOf(r, v.public), given(body))
	if err != nil {
		return Event{}, err
	}
	defer d.Close()
	if _, err := d.Write(body); err != nil {
		return Event{}, err
	}
	event, err := d.Verify()
	if err != nil {
		return Event{}, err
	}
	return event, nil
}

// Begin reads the signed headers of a delivery and begins to verify it. The
// caller writes the body to the Verification as it arrives, calls its Verify,
// and closes it. The Verification keeps a copy of the body. Errors are of type
// Refusal.
func (v *Verifier) Begin(r Request) (*Verification, error) { return v.BeginShared(r, nil) }

// BeginShared is like Begin, for a caller that keeps the body anyway. No copy
// is made. Each piece must be in the body before it is written to the
// Verification.
func (v *Verifier) BeginShared(r Request, body Body) (*Verification, error) {
	d := v.pool.Get().(*Verification)
	d.SignedHeaders.usable = v.usable
	d.SignedHeaders.reset()
	err := v.scheme.Begin(r, &d.SignedHeaders)
	if err == nil {
		err = v.checkSignatures(d.SignedHeaders.Signatures)
	}
	if err != nil {
		v.pool.Put(d)
		return nil, refusalOf(err)
	}
	d.begin(body)
	return d, nil
}

var (
	noUsableSignature = Refuse(MalformedSignature, "no signature of a kind that a configured secret can verify")
	tooManySignatures = Refuse(MalformedSignature, fmt.Sprintf("more than %d signatures to be verified with a public key", MaxPublicSignatures))
)

// checkSignatures refuses a delivery before its body is read, if no key can
// verify any of its signatures or if it has too many signatures for public
// keys.
func (v *Verifier) checkSignatures(sent []Signature) error {
	usable, public := 0, 0
	for i := range sent {
		if v.usable&(1<<sent[i].variant) != 0 {
			usable++
		}
		if v.publicVariants&(1<<sent[i].variant) != 0 {
			public++
		}
	}
	switch {
	case usable == 0:
		return noUsableSignature
	case public > MaxPublicSignatures:
		return tooManySignatures
	}
	return nil
}

// SignWith returns the headers of a delivery as the provider would send them,
// signed with the likeliest key of the secret.
func (s Scheme) SignWith(secret string, d Delivery) (http.Header, error) {
	key, err := s.signingKey(secret)
	if err != nil {
		return nil, &SecretError{Position: 1, Err: err}
	}
	return s.show().Sign(key, d)
}

func (s Scheme) signingKey(secret string) (Key, error) {
	if signs := s.show().SigningKey; signs != nil && secret != "" {
		key, err := signs(secret)
		if err == nil {
			err = key.check()
		}
		return key, err
	}
	keys, err := s.Keys(secret)
	if err != nil {
		return Key{}, err
	}
	return keys[0], nil
}
