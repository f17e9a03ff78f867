package connector

import (
	"errors"
	"testing"

	"smsbridge/codec/wire"
	"smsbridge/connector/push"
)

func TestDeadLetterOfAPushKeepsBodyAndQuery(t *testing.T) {
	t.Parallel()
	e := &events{topics: testTopics}
	for name, c := range map[string]struct{ body, query, value, header string }{
		"body":           {"state=X", "", "state=X", ""},
		"query":          {"", "state=X", "state=X", ""},
		"credentials":    {"name=n&pwd=p&state=X", "random=r&timestamp=1", "name=&pwd=&state=X", "random=&timestamp="},
		"body and query": {"state=X", "sendid=1", "state=X", "sendid=1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := e.deadPush(push.Raw{Kind: push.Report, Push: wire.Push{Body: []byte(c.body), Query: c.query}}, errors.New("cause"))
			headers := map[string]string{}
			for _, h := range m.Headers {
				headers[h.Key] = string(h.Value)
			}
			if string(m.Value) != c.value || headers["smsbridge-query"] != c.header ||
				headers["smsbridge-push"] != "report" || headers["smsbridge-error"] != "cause" {
				t.Errorf("value %q, headers %v", m.Value, headers)
			}
		})
	}
}
