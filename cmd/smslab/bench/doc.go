// Package bench measures the connector beside what it could cost at the least: a
// lean loop of kafka-go and net/http that reads commands, submits them and writes
// results, and guarantees nothing; and beside a bare net/http server for the
// provider's pushes. Both are processes of their own on the same broker and
// simulator, measured in turns within one run, so that a busy machine is busy for
// both. Some parts have smsbridge alone: good pushes beside slow clients, reports,
// what a backlog or a take-over costs. Nothing here is a test: a machine's speed is no promise of the code.
package bench
