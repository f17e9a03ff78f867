// Package kafkaio is the only door to Kafka. It takes kafka-go as connection
// pool and wire codec and owns the logic: which broker is asked, what is
// retried, what a batch holds.
//
// # Who asks whom
//
// client.go opens connections; exchange.go carries a request to the broker of
// our choice over kafka-go's pool; layout.go remembers leaders, metadata.go
// asks for them. A request is made like this:
//
//	broker, err := c.leader(ctx, topic, partition)   // or a coordinator that was looked up
//	res, err := c.ask(ctx, broker, &produce.Request{…})
//	res.(*produce.Response)                          // its error codes are the caller's to judge
//
// kafka.Transport.RoundTrip is not to be used directly: its cache knows brokers
// only (MetadataTopics is empty), so what it routes by topic ends as "topic not
// found". For the same reason kafka.Client is not used.
//
// # What follows an error
//
//   - codes 3, 5, 6, 74, 75 of a partition: forget(topic), then leader again;
//   - kafka.BrokerNotAvailable from ask (the pool does not know that broker
//     yet): refresh;
//   - anything else that temporary(err) accepts: again, after a backoff.
//
// When a context ends, its request lives on inside of kafka-go until it is
// answered or times out, and its buffers with it: they are never used again.
package kafkaio
