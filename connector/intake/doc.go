// Package intake reads commands: it fetches the records of a partition,
// remembers which of them are finished, and runs them in the order that their
// keys ask for.
//
// A record's way: fetch → window → lane → pool → finished → watermark.
//
//   - The window holds every record that was fetched and is not committed yet.
//     Its watermark is the offset below which everything is finished, which is
//     what may be committed. Fetching waits while it is full: that is the whole
//     of the back-pressure.
//   - A lane is the queue of the records that must follow one another: those of
//     one key, or of the whole partition, or none (Ordering).
//   - Work that must wait says for what, and is put aside: it has no goroutine and no
//     place in the pool until something wakes it. Its window alone bounds that.
//   - The pool bounds how many heads of lanes run at once in the process. A lane
//     that waits for its retry blocks nobody but its own followers.
package intake
