// Package local keeps caches of internal topics in folders under STATE_DIR.
//
// What is in such a folder stands in Kafka too, so it may be deleted at any time,
// and whoever uses it must first find out whether it is about the very topic that
// it reads. In return nothing here is ever repaired: what cannot be read is
// thrown away, and after the first failure nothing of a folder is believed.
package local
