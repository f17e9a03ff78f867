// Package spool keeps records on disk, in order, until somebody takes them: the
// pushes that come while Kafka is away. A record that was appended is on the disk
// itself, file and folder entry, before Append returns.
//
// Segments are files that are only ever appended to, and removed as a whole when
// all in them was taken. There is no position to keep: after a crash the segment
// that was being taken begins anew, so records are repeated, never lost.
//
//	Append   waits in a queue; one goroutine writes all that waits and syncs once
//	Drain    hands out the oldest segment, in batches, and removes it
//	parse    what of a segment can be read: torn tail, damage
//
// # Non-obvious
//
// After a failed write or sync nothing more is written to that file: what the
// kernel still holds of it is unknown, and a second sync may succeed without
// having written anything. What was acknowledged of it before is safe.
//
// A torn tail was never acknowledged, so it is left out. Anything else that
// cannot be read is damage: what is readable is taken, and the file is set aside
// under another name for people to look at.
//
// # Why not a library
//
// nsqio/go-diskqueue acknowledges before it syncs, has no checksums and skips the
// rest of a damaged file; tidwall/wal has no checksums, does not sync the folder
// and refuses to open a torn log. etcd's wal and Pebble are sound, but the one
// keeps raft's own records and refuses to read on behind damage, and the other
// ends the process when its log cannot be written (a full disk), so Pebble lends
// only its file system (vfs), with which every fault here is tried.
package spool
