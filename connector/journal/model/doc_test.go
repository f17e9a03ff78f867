// Package model plays the protocol of the journal and the fence with small
// numbers instead of Kafka, HTTP and time, so that a hundred thousand random
// schedules of crashes, freezes and late messages take seconds. It shares no
// code with the journal: it is the second opinion on the rules, not on the code.
//
// World: instances (processes that crash and start again), one session for each
// generation that an instance joined, a group coordinator that knows the
// current generation and the committed offset with its metadata, one journal
// log for each partition, a provider that remembers every submit it carried
// out. A session whose generation has passed goes on as if nothing had happened
// until it is told: it is the zombie. Between any two steps of a session
// anything else may happen, for as long as the schedule likes.
//
// A schedule is a tape of numbers, one for each step; the same tape is the same
// schedule. That is what makes a counterexample shrink: steps are cut out as
// long as the same promise still breaks.
package model
