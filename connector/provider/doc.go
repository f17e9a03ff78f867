// Package provider is the HTTP client of the SMS provider. It makes one call,
// once, and says what is known of it afterwards: an answer, or a Failure whose
// Class says what the next call may be.
//
// # Why not net/http's client
//
// The provider has no idempotency key, so two questions decide everything: can
// this request reach the provider twice, and did it reach it at all? net/http
// cannot answer either as exactly as is needed here:
//
//   - It repeats requests by itself: a GET on a reused connection, anything that
//     carries an Idempotency-Key, a body with GetBody of which it believes that
//     nothing was written, a followed 307. Each can be switched off, and each
//     comes back with one careless line.
//   - Its httptrace.WroteRequest is called before the last flush, so it proves
//     nothing; and a round trip that fails returns while its writer may still
//     be writing.
//   - An answer longer than its Content-Length (a server that counts characters
//     instead of bytes) leaves bytes behind which become the answer to the next
//     request on that connection, or are printed to the standard logger.
//
// So the exchange is our own: one Write with the whole request, whose count says
// what left, and one reading of the answer by http.ReadResponse, in the caller's
// goroutine, on a connection that nobody else uses meanwhile. There is no code
// here that could repeat a request. It also needs half of the CPU.
package provider
