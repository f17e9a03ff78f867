package control

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
)

// version of the records. What an older program does not understand it must not
// act against: a newer one makes it hold everything.
const version = 1

// Classes are those that can be held, each by itself.
var Classes = []sms.Class{sms.OTP, sms.Notice, sms.Marketing}

// Keys, of which the topic keeps the latest record each.
const (
	classKey  = "class/"
	cancelKey = "cancel/"
)

// Cancellation is about commands that were produced before a time and fit
// everything else that is given.
type Cancellation struct {
	ID       string            `json:"id,omitempty"`
	Class    sms.Class         `json:"class,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"` // all of these
	Before   time.Time         `json:"before"`             // of the record's timestamp
}

// Fits reports whether a command is cancelled.
func (c *Cancellation) Fits(cmd *sms.Command) bool {
	if !cmd.At.Before(c.Before) || c.ID != "" && c.ID != cmd.ID || c.Class != "" && c.Class != cmd.Class {
		return false
	}
	for name, value := range c.Metadata {
		if given, ok := cmd.Metadata[name]; !ok || given != value {
			return false
		}
	}
	return true
}

// lives is how long a cancellation matters: commands that were produced before
// it are gone from their topic by then.
const lives = 90 * 24 * time.Hour

// Over reports whether nothing can be left that it is about.
func (c *Cancellation) Over(now time.Time) bool { return now.Sub(c.Before) > lives }

// Author is who gave an order and why, in an operator's words.
type Author struct {
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// order is the value of a record: one of hold and cancel.
type order struct {
	Version int       `json:"v"`
	At      time.Time `json:"at"`
	Author
	Hold   *bool         `json:"hold,omitempty"`
	Cancel *Cancellation `json:"cancel,omitempty"`
}

// HoldRecord makes the record that holds a class, or lets it go on.
func HoldRecord(topic string, class sms.Class, hold bool, a Author, now time.Time) kafkaio.Message {
	return record(topic, classKey+string(class), &order{At: now, Author: a, Hold: &hold})
}

// CancelRecord makes the record of a cancellation.
func CancelRecord(topic string, c Cancellation, a Author, now time.Time) kafkaio.Message {
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	return record(topic, cancelKey+hex.EncodeToString(random[:]), &order{At: now, Author: a, Cancel: &c})
}

func record(topic, key string, o *order) kafkaio.Message {
	o.Version = version
	value, err := json.Marshal(o)
	if err != nil {
		panic(fmt.Sprintf("control: an order that is no JSON: %v", err))
	}
	return kafkaio.Message{Topic: topic, Partition: kafkaio.AnyPartition, Key: []byte(key), Value: value}
}

var errNewer = errors.New("an order of a newer version")

// Order is a record of the topic, read for being told.
type Order struct {
	Author
	At     time.Time
	What   string        // pause, resume, cancel, or "taken back"
	Class  sms.Class     // of pause and resume
	Cancel *Cancellation // of cancel
}

// Read reads a record of the topic.
func Read(rec *kafkaio.Record) (Order, error) {
	class := sms.Class("")
	if name, found := strings.CutPrefix(string(rec.Key), classKey); found {
		class = sms.Class(name)
	}
	if rec.Value == nil {
		return Order{At: rec.Time, What: "taken back", Class: class}, nil
	}
	o, err := decode(rec)
	if err != nil {
		return Order{}, err
	}
	what := "cancel"
	if o.Hold != nil {
		what = "resume"
		if *o.Hold {
			what = "pause"
		}
	}
	return Order{Author: o.Author, At: o.At, What: what, Class: class, Cancel: o.Cancel}, nil
}

// decode reads a record.
func decode(rec *kafkaio.Record) (order, error) {
	var o order
	if err := json.Unmarshal(rec.Value, &o); err != nil {
		return o, fmt.Errorf("is not the JSON of an order: %T", err)
	}
	key := string(rec.Key)
	switch {
	case o.Version > version:
		return o, errNewer
	case o.Hold != nil && strings.HasPrefix(key, classKey), o.Cancel != nil && strings.HasPrefix(key, cancelKey):
		return o, nil
	default:
		return o, errors.New("is no order under this key")
	}
}
