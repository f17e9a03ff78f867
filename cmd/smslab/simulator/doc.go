// Package simulator plays the SMS provider: its whole HTTP API with the faults
// that a real one has, delivery reports and inbound messages pushed to the
// connector, and a ledger of everything that it was sent, for checkers.
//
// It is lenient in what it reads, as the real one is towards old clients:
// parameters in the query or in the body, unencoded text, a Content-Length that
// counts characters. What is asked at /sms is read without net/http, because the
// simulator shares its machine with what is being measured and because faults
// need the bare connection; every other path goes to net/http:
//
//	GET  /ledger   every complete request, one JSON object a line; ?from=N skips N lines
//	GET  /pushes   every attempt at a push, one JSON object a line; ?from=N
//	GET  /stats    counts: complete and partial requests, faults, pushes
//	GET  /fault    the faults in force
//	POST /fault    changes those that the JSON object names
//	POST /mo       pushes inbound messages: {"messages":[{"mobile","content","extno"}]}
package simulator
