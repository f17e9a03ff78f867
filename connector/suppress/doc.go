// Package suppress knows who gets no texts of a class: people who opted out, and
// whom an operator has named.
//
// Suppressions stand in a compacted topic, one record for each person and class,
// which every process that submits reads whole before it begins, and follows. The
// key names the person by the HMAC of the number, the same that results, reports
// and inbound messages carry as to_hash and from_hash, so that the topic holds no
// number.
//
//	key.go     the keys of the HMACs, and their fingerprints
//	record.go  one suppression, as it stands in the topic
//	list.go    who is suppressed now, asked before every submit
//	follow.go  how the list is read and kept up to date
//
// # Non-obvious
//
// Whoever changes the key would lose every suppression without noticing: no number
// gives the same HMAC any more. So each record carries the fingerprint of its key,
// and a process that meets one whose key it was not given does not start.
package suppress
