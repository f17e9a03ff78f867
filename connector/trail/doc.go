// Package trail follows commands through the topics of an installation, beside
// the connectors that run there: it joins no group and writes nothing.
//
//	reader.go   partitions from a time on, up to what is there now
//	explain.go  all that happened to some commands, in order of time
//	events.go   how each record is told
//	audit.go    what became of all commands, and whether the promises held
//	submits.go  whether any was submitted twice
//	redrive.go  which commands may be put on their topic again
//	round.go    the ids of such commands
//	again.go    their records
//	waiting.go  which commands have no outcome yet
//	mask.go     how numbers are hidden
package trail
