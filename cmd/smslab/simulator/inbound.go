package simulator

import (
	"math/rand/v2"
	"strings"
	"time"

	"smsbridge/codec/wire"
)

// Message is what a phone sends (MO).
type Message struct {
	Mobile  string `json:"mobile"`
	Content string `json:"content"`
	ExtNo   string `json:"extno"` // the system's prefix and the command's own
	Time    string `json:"time"`  // 2006-01-02 15:04:05 in Shanghai; empty: now
}

// PushInbound queues one push with the messages, unescaped as the real one's are.
func (p *Provider) PushInbound(messages ...Message) {
	faults := p.faults.Load()
	records := make([]string, len(messages))
	for i, m := range messages {
		if m.Time == "" {
			m.Time = time.Now().In(wire.Zone).Format(time.DateTime)
		}
		records[i] = strings.Join([]string{m.Mobile, m.Content, m.Time, m.ExtNo}, "#@#")
	}
	p.pushes.later([]*push{{
		kind: "inbound", args: strings.Join(records, "#@@#"),
		raw: chance(faults.PushRaw), query: chance(faults.PushQuery),
	}})
}

// chatter pushes inbound messages at the configured rate, with what people write:
// answers, keywords, and what looks like the protocol itself.
func (p *Provider) chatter() {
	contents := [...]string{"收到，谢谢", "TD", "退订", "STOP", "HELP", "ok; 100%", "a&b=c", "1#@#2", "明天见 😀"}
	interval := time.Duration(float64(time.Second) / p.cfg.MORate)
	for sleep(p.ctx, interval) {
		p.PushInbound(Message{
			Mobile: "1390000" + digits(rand.Uint64N(10_000), 4), Content: contents[rand.IntN(len(contents))], ExtNo: "008123",
		})
	}
}
