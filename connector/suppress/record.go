package suppress

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
)

// version of the records. One of a newer version suppresses all the same: its key
// says whom and from what.
const version = 1

// Suppression is why and since when a person gets no texts of a class.
type Suppression struct {
	Class  sms.Class
	Person Person
	At     time.Time
	By     string // who asked for it: ByPerson, or an operator
	Reason string // the operator's; may be empty
}

// ByPerson marks what the person asked for by an inbound message.
const ByPerson = "opt_out"

// value of a record. None lifts the suppression.
type value struct {
	Version int       `json:"v"`
	Key     string    `json:"key"` // fingerprint of the HMAC's key
	At      time.Time `json:"at"`
	By      string    `json:"by"`
	Reason  string    `json:"reason,omitempty"`
}

// AddRecord makes the record of a suppression.
func AddRecord(topic string, key codec.HashKey, s Suppression) kafkaio.Message {
	body, err := json.Marshal(value{Version: version, Key: key.Fingerprint(), At: s.At.UTC(), By: s.By, Reason: s.Reason})
	if err != nil {
		panic(fmt.Sprintf("suppress: a suppression that is no JSON: %v", err)) // a time beyond year 9999
	}
	return kafkaio.Message{Topic: topic, Partition: kafkaio.AnyPartition, Key: recordKey(s.Class, s.Person), Value: body}
}

// LiftRecord makes the record that lifts a suppression, whether there is one or not.
func LiftRecord(topic string, class sms.Class, person Person) kafkaio.Message {
	return kafkaio.Message{Topic: topic, Partition: kafkaio.AnyPartition, Key: recordKey(class, person)}
}

func recordKey(class sms.Class, person Person) []byte {
	return []byte(string(class) + "/" + person.String())
}

// decode reads a record, and returns the fingerprint of its key, which is empty
// where the value cannot be read: whom it is about stands in the record's key, and
// a suppression too many is better than one too few.
func decode(rec *kafkaio.Record) (s Suppression, key string, err error) {
	class, digits, found := strings.Cut(string(rec.Key), "/")
	if !found || bitOf(sms.Class(class)) == 0 {
		return s, "", errors.New("has a key that names no class and person")
	}
	if s.Person, err = parsePerson(digits); err != nil {
		return s, "", fmt.Errorf("has a key that %w", err)
	}
	s.Class, s.At = sms.Class(class), rec.Time
	var v value
	if json.Unmarshal(rec.Value, &v) == nil {
		key, s.By, s.Reason = v.Key, v.By, v.Reason
		if !v.At.IsZero() {
			s.At = v.At
		}
	}
	return s, key, nil
}
