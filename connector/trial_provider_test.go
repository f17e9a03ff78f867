package connector

import (
	"bufio"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"smsbridge/cmd/smslab/trial"
)

const trialRecipients = 2 // of a request

// provide answers on every connection until the listener is closed.
func (th *theatre) provide(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go th.converse(c)
	}
}

func (th *theatre) converse(c net.Conn) {
	defer c.Close()
	br := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			th.mu.Lock()
			th.h.Partial++
			th.mu.Unlock()
			return
		}
		form, _ := url.ParseQuery(string(body))
		status, answer := "200 OK", "0,1000"
		if form.Get("type") != "balance" {
			time.Sleep(time.Duration(th.n(200)) * time.Millisecond)
			if th.swallow != nil && th.swallow(form) {
				return
			}
			status, answer = th.decide(form)
		}
		if answer == "" {
			return
		}
		if _, err := fmt.Fprintf(c, "HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s", status, len(answer), answer); err != nil {
			return
		}
	}
}

// decide carries out a submit, or does not, and says so, or does not: without an
// answer the connection is closed.
func (th *theatre) decide(form url.Values) (status, answer string) {
	numbers := strings.Split(form.Get("mobile"), ",")
	_, id, _ := strings.Cut(form.Get("content"), "#")
	dice := th.n(100)
	if th.calm.Load() {
		dice = 99
	}
	th.mu.Lock()
	s := trial.Submission{ID: id, Number: numbers[0], Count: len(numbers), At: time.Now()}
	from := th.actors[form.Get("name")]
	if dice < 10 {
		status, answer = "429 Too Many Requests", "later"
		s.Fault = "throttle"
	} else {
		th.sendids++
		s.Code, s.SendID = "0", fmt.Sprintf("20260101000000000%06d", th.sendids)
		status, answer = "200 OK", fmt.Sprintf("0,%s,0,%d,0,ok", s.SendID, len(numbers))
	}
	switch {
	case dice < 10:
	case dice < 14:
		s.Fault, answer = "drop", ""
	case dice < 16: // never carried out, and nobody can know
		s.Code, s.SendID, s.Fault, answer = "", "", "reset", ""
	}
	th.h.Submissions = append(th.h.Submissions, s)
	th.mu.Unlock()
	switch {
	case dice < 16 || dice == 99:
	case dice < 19: // it has the text, and its sender dies
		th.strike(from, false, "request read")
	case dice < 22: // its sender hears of it when its successor is at work
		th.strike(from, true, "request read")
	case dice < 24:
		time.Sleep(10 * time.Second) // a slow one
	}
	return status, answer
}

// compose makes a command: nine in ten have a key, one in five several parts, one
// in four may be resent, one in seven repeats another.
func (th *theatre) compose(n int) (trial.Command, []byte) {
	th.mu.Lock()
	defer th.mu.Unlock()
	if n > 0 && th.rng.IntN(7) == 0 {
		if again := th.h.Commands[th.rng.IntN(n)]; again.Key != "" && again.ID != "" {
			return again, commandValue(again)
		}
	}
	c := trial.Command{ID: fmt.Sprint("c", n)}
	if th.rng.IntN(10) > 0 {
		c.Key = fmt.Sprint("k", th.rng.IntN(8))
	}
	count := 1
	if th.rng.IntN(5) == 0 {
		count = 2 + th.rng.IntN(2*trialRecipients)
	}
	for i := range count {
		c.Numbers = append(c.Numbers, fmt.Sprintf("1380000%04d", 10*n+i))
	}
	switch th.rng.IntN(20) {
	case 0:
		c.ID, c.Numbers = "", nil
		return c, []byte(`{"to":[],"text":"for nobody"}`)
	case 1, 2, 3, 4, 5:
		c.Resend = true
	case 6:
		c.Expires = time.Now().Add(time.Duration(1+th.rng.IntN(20)) * time.Second).Truncate(time.Millisecond)
	}
	return c, commandValue(c)
}

func commandValue(c trial.Command) []byte {
	v := map[string]any{"id": c.ID, "to": c.Numbers, "text": "text #" + c.ID}
	if c.Resend {
		v["on_unknown"] = "resend"
	}
	if !c.Expires.IsZero() {
		v["expires_at"] = c.Expires
	}
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and times can always be written
	}
	return body
}

// resultOf reads a result as the checker wants it.
func resultOf(t *testing.T, r *kgo.Record) trial.Result {
	t.Helper()
	type position struct {
		Partition int32
		Offset    int64
	}
	var v struct {
		EventID     string `json:"event_id"`
		CommandID   string `json:"command_id"`
		Revision    int
		Status      string
		Reason      string
		Command     position
		DuplicateOf *struct {
			position
			Status string
		} `json:"duplicate_of"`
		Submissions []struct {
			Status            string
			SendID            string `json:"provider_message_id"`
			Accepted          int
			Attempts          int
			PossibleDuplicate bool `json:"possible_duplicate"`
		}
	}
	if err := json.Unmarshal(r.Value, &v); err != nil {
		t.Fatal(err)
	}
	digest := fnv.New64a()
	digest.Write(r.Value)
	row := trial.Result{
		Command: trial.Position(v.Command), Row: trial.Position{Partition: r.Partition, Offset: r.Offset}, At: r.Timestamp,
		EventID: v.EventID, ID: v.CommandID, Revision: v.Revision, Status: v.Status, Reason: v.Reason, Digest: digest.Sum64(),
	}
	if v.DuplicateOf != nil {
		of := trial.Position(v.DuplicateOf.position)
		row.DuplicateOf, row.FirstStatus = &of, v.DuplicateOf.Status
	}
	for _, s := range v.Submissions {
		row.Parts = append(row.Parts, trial.Part(s))
	}
	return row
}
