// Package submit turns a command into its result: it validates, splits,
// submits with retry, and adds up what came of the parts.
//
//	plan.go     what a command asks for: recipients, text, validity, parts
//	submit.go   what submits
//	run.go      the flow of a command, in steps between which it may wait
//	part.go     the flow of a part: rate, line, guard, slot, submit, again
//	reach.go    what a part waits for before an attempt
//	event.go    what wakes it
//	doubt.go    what an attempt leaves that may have been carried out
//	judge.go    what an answer or a failure means for the part and for the line
//	result.go   what the parts together mean for the command
//	line.go     whether anything is submitted at all, and how many at once
//	recent.go   which of the last submits were doubtful
//	probe.go    how a held line finds out that it may open
//	rate.go     recipients a second
//	wait.go     short waits within an attempt, which the validity ends
//	guard.go    what the flow needs of its neighbours
//	config.go   settings; metrics.go, trace.go: what is told of it
//
// # Non-obvious
//
// A request is closed before the next begins: every permit ends in Release
// (nothing was sent) or Done (something was or may have been), also between two
// attempts of one part. So whoever takes the part over never has to guess what
// an earlier attempt did.
//
// A part with one attempt of unknown outcome can only end accepted or unknown.
// Whatever the second attempt is told, the first may be on the phone already.
//
// Nothing on the way of a command that meets no obstacle starts a timer or a
// goroutine.
package submit
