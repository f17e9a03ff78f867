package push

import "net/http"

// outcome is what came of one request. Only what is durable is a 200.
type outcome string

// The outcomes.
const (
	accepted     outcome = "accepted"
	repeated     outcome = "repeated"    // this very push was answered 200 before
	deadLettered outcome = "dead_letter" // authenticated but unreadable, kept raw
	queued       outcome = "spooled"     // on disk, until Kafka takes it
	refused      outcome = "refused"
	unknownPath  outcome = "not_found"
	wrongMethod  outcome = "wrong_method"
	tooLarge     outcome = "too_large"
	overloaded   outcome = "overloaded"
	notDurable   outcome = "not_durable"
)

var outcomes = []outcome{accepted, repeated, deadLettered, queued, refused, unknownPath, wrongMethod, tooLarge, overloaded, notDurable}

func (o outcome) status() int {
	switch o {
	case accepted, repeated, deadLettered, queued:
		return http.StatusOK
	case refused:
		return http.StatusUnauthorized
	case unknownPath:
		return http.StatusNotFound
	case wrongMethod:
		return http.StatusMethodNotAllowed
	case tooLarge:
		return http.StatusRequestEntityTooLarge
	case overloaded, notDurable:
	}
	return http.StatusServiceUnavailable
}

// refusal is why a request was answered 401: told to the operator, never to
// the client.
type refusal string

// The causes of a refusal.
const (
	wrongCredentials refusal = "wrong_credentials" //nolint:gosec // the name of a cause
	staleTimestamp   refusal = "stale_timestamp"   // the digest is right, the clock is not
	reusedDigest     refusal = "reused_digest"
	addressNotListed refusal = "address_not_allowed"
	tooManyGuesses   refusal = "too_many_guesses"
)

var refusals = []refusal{wrongCredentials, staleTimestamp, reusedDigest, addressNotListed, tooManyGuesses}
