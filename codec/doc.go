// Package codec translates between Kafka values and the nouns of the bridge. It
// is pure: no I/O, no clock, so the same noun always gives the same bytes.
//
// Commands come from anybody who may write to a topic, so DecodeCommand bounds
// everything it reads and its errors name field, rule and remedy without ever
// holding a value. Outputs follow the contract: every field present, null for
// what is not known, times in UTC with milliseconds.
package codec
