// Package journal keeps a text from being sent twice. The provider has no
// idempotency key, so what was about to be submitted is written down before it
// is, in a journal topic with as many partitions as the command topic; and a
// commit that only the newest generation of the group can make, the fence,
// stands between the intent and the request.
//
//	order.go     the order of the steps, and why it is enough: read this first
//	journal.go   configuration, what is needed of Kafka, named crash points
//	tenure.go    the ownership of partitions in one generation, and its end
//	takeover.go  the steps of the take-over: read, list, replay, confirm, release, commit
//	halt.go      why a partition is not worked on until an operator decides
//	ledger.go    one partition while it is ours: judging commands, final dones
//	guard.go     one command's attempts: intent, permit, done
//	commit.go    the one committer of fences and watermarks
//	story.go     what the journal says about one command
//	follow.go    the late answers of zombies, and revisions
//	evidence.go  what a report shows of an unknown, and before when nothing is open
//	tail.go      which part of the journal was written by others
//	store.go     the ids that are remembered
//	store_*.go   the same in a local folder, and what it claims to know
//	entry.go     records as the tools read them
//	record.go    the records' encoding
//	metadata.go  what stands beside the committed offset
//	model/       the protocol as a game, with every wrong rule found out
//
// # What it holds
//
// Of a command: its place, id and fingerprint, and of its attempts when they were
// made and what the provider answered: no number, no text. A final done also holds
// the result as it is published, since a repeated one must be the same bytes: with
// the key and the metadata, which are the producer's, and what the provider said,
// in which long digits are masked. So who may read the results may read this too.
//
// # Non-obvious
//
// An owner is not a process but one take-over. A process that joins anew is
// another owner, and its older self may be a zombie beside it.
//
// Sending is not acking: a record may be appended long after its process died.
// Nothing follows from having sent one.
//
// A split is binding, an id taken, an attempt counted only if something may have
// been submitted. Intents that were never fenced bind nobody; a zombie may have
// written them behind its successor's.
package journal
