// Package sms holds the nouns of the bridge: what is asked for, what came of
// it, and what the provider says later. It imports the standard library alone,
// so that every other package may speak in these words.
package sms
