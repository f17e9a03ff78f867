// Package push is the public listener for what the provider pushes: delivery
// reports and inbound messages.
//
// A push is answered 200 only after the Sink has made it durable, for a 200
// tells the provider to forget it. The rest follows from where the listener
// stands, open to anybody:
//
//	conns    who may be connected; slow clients push out only each other
//	serve    path, method, address
//	body     read within bounds, before anybody is known
//	take     who sent it (auth, guesses, digests), then
//	keep     to the Sink: readable, or raw to the dead letters; to the spool while
//	         Kafka is away or others wait there
//
// # Non-obvious
//
// A place among those in progress is taken only when a body was read, so that
// clients who dribble bytes hold none. A push that was read is made durable even
// if its sender hangs up: the sender may never repeat it.
//
// A push from the spool takes the way of a fresh one from read on. It holds no
// credentials any more: it was authenticated before it was kept.
//
// A cut body is never read as a push, since a cut state may be another state; it
// is kept raw.
//
// Trusted proxies are exempt from the limit of connections for each address.
// The count of wrong guesses is of the client that they name.
package push
