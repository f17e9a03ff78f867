// Package evidence finds out whose a sendid is that nobody was told. A submit
// without a readable answer is in doubt; a delivery report may later name a sendid
// that no submit is known for. On an account where nobody else submits, that
// sendid is one of the submits in doubt. If it can only be one of them, that one
// was accepted.
//
// Owners of command partitions write two kinds of records to the doubts topic,
// which every correlator reads whole: their doubts, and how far nothing is open
// any more. The Index keeps them; Match decides. It guesses nothing: a wrong
// inference would tell one command's delivery as another's.
//
// # Why one candidate is the right one
//
// A sendid that is not known as sent is that of an attempt whose sendid nobody
// read, or whose reader has not written it down yet. Match waits until every
// partition is settled beyond the sendid's time: then what was read is written
// down, and of what was not there is a doubt. So the true one is among the
// candidates, as its window holds the sendid's time whatever the clocks are within
// Slack. If there is no other, it is the true one. A doubt stays a candidate after
// it was used, since a part that was sent again may have two sendids.
//
// # What the caller must see to
//
//   - PROVIDER_EXCLUSIVE is declared. Another deployment on the account is
//     somebody else, and so is a person at the provider's console.
//   - The sendid is not known as sent, by a look at the sendids up to an end that
//     was listed after the Index had read what it answers from. An ORPHAN_AFTER
//     that has passed with the sendids caught up is that.
//   - Every sendid that was read is written to the sendids, also of submits that
//     were refused by their counts; and a command counts as published in its
//     ledger only behind its sendids and doubts.
//   - The Index has read the doubts topic from its start, and the topic keeps its
//     records for twice the report deadline.
package evidence
