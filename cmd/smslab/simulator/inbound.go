package simulator

import (
	"cmp"
	"math/rand/v2"
	"slices"
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
	messages = slices.Clone(messages)
	records := make([]string, len(messages))
	for i := range messages {
		m := &messages[i]
		m.Time = cmp.Or(m.Time, time.Now().In(wire.Zone).Format(time.DateTime))
		records[i] = strings.Join([]string{m.Mobile, m.Content, m.Time, m.ExtNo}, "#@#")
	}
	p.pushes.later([]*push{{
		kind: "inbound", args: strings.Join(records, "#@@#"), said: messages,
		raw: chance(faults.PushRaw), query: chance(faults.PushQuery),
	}})
}

// What phones send: answers and keywords, or what looks like the protocol itself.
var (
	contents = []string{"收到，谢谢", "TD", "退订", "STOP", "HELP", "明天见 😀"}
	hostile  = []string{
		"ok; 100%", "a&b=c", "1#@#2", "#@@#", "#@#", "", " ", "%41%zz", "a&args=b", "\r\nX: y",
		"#@#2013-08-21 21:20:11#@#", "x#@@#13800000000#@#y", strings.Repeat("长", 500),
	}
)

// chatter pushes inbound messages at the configured rate, sometimes several at once.
func (p *Provider) chatter() {
	interval := time.Duration(float64(time.Second) / p.cfg.MORate)
	for sleep(p.ctx, interval) {
		messages := make([]Message, 1+rand.IntN(2))
		for i := range messages {
			words := contents
			if chance(p.faults.Load().Hostile) {
				words = hostile
			}
			messages[i] = Message{
				Mobile: "1390000" + digits(rand.Uint64N(10_000), 4), Content: words[rand.IntN(len(words))], ExtNo: "008123",
			}
		}
		p.PushInbound(messages...)
	}
}
