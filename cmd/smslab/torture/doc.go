// Package torture runs connectors as processes, takes them, their broker and
// their provider apart while commands go through, and has everything that was
// seen judged by package trial. It is also the end-to-end test: with few faults,
// on a real Kafka.
package torture
