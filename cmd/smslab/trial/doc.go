// Package trial judges a run of the connector from outside. A History holds what
// independent witnesses saw: what the producer had acknowledged, the provider's
// ledger, every output topic read to its end by another Kafka client, committed
// offsets, pushes and their answers, and what was done to the processes. Check
// holds the invariants against it, one pure function each, and gives for each
// broken one the smallest counterexample.
//
// Not judged here, because only the inside shows it: that a durable and fenced
// intent precedes each submission (I3, I20), and the memory of a long run (I18).
//
// Numbers and texts stand in a History so that it can be checked, and are never
// part of what is printed.
package trial
