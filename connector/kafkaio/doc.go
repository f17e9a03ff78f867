// Package kafkaio is the only door to Kafka. It takes kafka-go as wire codec and
// owns the rest: how brokers are reached, which of them is asked, what is
// retried, what a batch holds.
//
// # Who asks whom
//
// dial.go connects, with a time for every step; pool.go keeps connections;
// brokers.go knows addresses, configured and seen alike; layout.go remembers
// leaders, and goes on serving them while it looks anew, once a second at most.
// A request is made like this, and in no other way:
//
//	broker, err := c.leader(ctx, topic, partition)   // or a coordinator that was looked up, or anyBroker
//	res, err := c.ask(ctx, broker, &listoffsets.Request{…}, newestVersion, nil)
//	res.(*listoffsets.Response)                      // its error codes are the caller's to judge
//
// kafka.Transport is not used: its metadata goes to the configured addresses
// alone, within a time that is its refresh interval too; a login that is not
// answered blocks it for good; and a request whose caller has given up lives on in
// it. Membership of groups is still kafka-go's, over connections of dial.go.
//
// # What follows an error
//
//   - codes 3, 5, 6, 74, 75 of a partition, or no answer: renew, then leader again
//     after a pause;
//   - anything else that temporary(err) accepts: again, after a backoff.
//
// When a context ends, the connection of its request is closed. The broker may
// still carry the request out: a gate tells whether it was begun.
package kafkaio
