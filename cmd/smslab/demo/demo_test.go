package demo

import (
	"bytes"
	"strings"
	"testing"

	"smsbridge/cmd/smslab/lab"
)

func TestScreenShowsNeitherNumbersNorTexts(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := newScreen(&out)
	for _, o := range []lab.Output{
		{Topic: "reports", Body: lab.Body{CommandID: "c", Status: "delivered", State: "DELIVRD", To: "13800001234"}},
		{Topic: "inbound", Body: lab.Body{From: "13800001234", Text: "nobody's business"}},
		{Topic: "results", Body: lab.Body{CommandID: "sms.commands:3:17", Status: "accepted", Recipients: 1, Accepted: 1}},
		{Topic: "account", Body: lab.Body{Line: "held", Reason: "account_closed"}},
		{Topic: "deadletter", Error: "to: is missing"},
	} {
		s.output(o)
	}
	shown := out.String()
	if strings.Count(shown, "\n") != 5 || !strings.Contains(shown, "138****1234") || !strings.Contains(shown, "…:3:17") {
		t.Error(shown)
	}
	for _, private := range []string{"13800001234", "business", "\x1b["} {
		if strings.Contains(shown, private) {
			t.Errorf("%q in\n%s", private, shown)
		}
	}
}

func TestEveryKindOfEndIsInTheScript(t *testing.T) {
	t.Parallel()
	ends := map[string]bool{}
	for _, r := range recipes() {
		c := command{ID: "x", To: phone()}
		r.make(&c)
		if value, err := r.value(c); err != nil || len(value) == 0 {
			t.Errorf("%s: %v", r.name, err)
		}
		ends[r.want] = true
	}
	for _, end := range []string{"accepted", "partially_accepted", "rejected", "expired", "invalid", "duplicate"} {
		if !ends[end] {
			t.Errorf("none ends %s", end)
		}
	}
}

func TestColumnsThatDifferAreWrong(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := &sums{screen: newScreen(&out)}
	s.line("same", 3, 3)
	s.line("less", 3, 2)
	if s.wrong != 1 || !strings.Contains(out.String(), "2  WRONG") {
		t.Error(out.String())
	}
}
