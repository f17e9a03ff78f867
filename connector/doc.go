// Package connector puts the flows together and gives them their life: start,
// drain, stop.
//
// Three promises hold whatever happens, and every test of faults is about them:
//
//  1. A command ends in exactly one final outcome on the results topic, or is
//     not committed.
//  2. Nothing is committed, and no push is answered 200, before its consequence
//     is durable.
//  3. A submit that may have been carried out is never repeated unless the user
//     asked for it; its outcome is unknown.
//
// The way of a command (commands.go, command.go): intake reads it, the codec
// makes a noun of it, submit brings about its result, the result is published,
// and when every in-sync replica has it the window of the partition may move its
// watermark, which the session commits.
//
// The way of a push (pushes.go): the listener proves where it comes from, what it
// said is made durable, in Kafka or while that is away on disk, and only then the
// provider hears 200. A delivery report goes to an internal topic, where a
// correlator finds the command by the sendids that were published together with
// the results (sents.go).
package connector
