// Package caps holds the group to so many recipients a minute and a day: any
// sixty seconds and any twenty-four hours, not those of the calendar, as a burst
// on each side of a border would be twice the cap.
//
// # What counts
//
// The journal says all of it: an intent before its request is made, and then what
// came of it. So an attempt counts from its intent on; once it ended, with the
// recipients that the provider accepted, or with all of them where nobody knows,
// for a window's length from when that was written down. One that was released or
// refused counts no more. Nothing is kept anywhere else: whoever starts reads the
// journal of the window, and a process that was killed has left its intents.
//
// # Why it holds across instances
//
// Every process follows the whole journal. Between a part's intent and its request
// it asks where the journal ends, reads up to there, and makes the request only if
// all that counts, this intent among it, is within the caps. Of two requests, the
// one whose intent became durable later is preceded by a look that has found the
// other's. So no submit takes the group over a cap, however many instances there
// are and whichever of them die; with two exceptions. A process that was frozen
// between its look and its request makes that later than it counts. And a new
// leader of a journal partition may for a moment name an end too low.
//
// Where two instances would take the same room both find too much, and both give
// way. So that this stays rare, each reserves no more than its share of what is
// left, by the partitions that it owns; what is less than its share of one request
// is drawn by lot, so that a single busy partition still gets all of it within
// some tenths of a second, and nobody is shut out.
//
// Clocks matter at a start alone: what is read then counts from its records'
// timestamps, later from when it was read. Every window is a bucket longer than
// its name, never shorter.
package caps
