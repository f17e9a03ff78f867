// Package control carries what operators order, while everything runs: to hold
// the commands of a class, and to cancel commands that wait.
//
// Orders stand in a compacted topic, which every process that submits reads
// whole before it begins, and follows. So an order reaches all instances, also
// those that start later, and needs no other door into them.
//
//	record   one order, as it stands in the topic
//	board    what stands now, asked before every submit
package control
