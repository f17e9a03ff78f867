// Package correlate finds the command of each delivery report, tells which reports
// never came, and publishes both.
//
// # Two topics
//
// The provider's pushes lie in one topic, what is known of its sendids in another,
// both by the sendid's hash and with as many partitions: the partitions of one
// number belong together. A group shares those of the pushes among the correlators;
// the sendids partition of the same number is read directly, whole and for ever.
//
// The submit side writes sent. All else in that topic is written by correlators,
// and it is all that they know: an entry is what the records of a sendid come to
// when they are taken in one after the other, see entry.apply. The local store holds
// the entries, and can always be built again.
//
// # Why nothing is lost, nor told in two ways
//
// A push is committed when its reports are durable, or a parked that says where it
// lies. What waits, becomes an orphan, or is missing at its deadline is decided by
// a record, which counts by where it stands: an orphan behind the sent of its
// sendid is void. So every event follows from the push and from the sendids topic
// up to some position, and not from who publishes it, when, or after which crash.
// Published again it is the same event with the same id.
//
// That is why a correlator that lost its partition without noticing needs no
// fence. What it writes late are facts (seen, told, closed), or parked and
// decisions, which either count, for everybody, or are void, for itself too; and
// its reports are those that its successor publishes. A parked that comes late has
// a report published once more, and nothing else.
//
// Events become durable before the record that says so (told, closed), decisions
// before what follows from them is published. Whoever takes over publishes
// whatever is decided and not said to be told.
//
// # How long
//
// An entry lives for two deadlines: in the first its reports are expected, in the
// second late ones still find it. Then it is dropped, and a report later still is
// an orphan. A sent that is written once more after that has reports matched again,
// and nobody missed. The topics must keep their records as long, see Retention.
package correlate
