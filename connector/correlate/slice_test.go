package correlate

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"smsbridge/connector/kafkaio"
)

// narrow is a producer whose buffer holds less than the reports of one push take.
type narrow struct{ Producer }

const narrowBuffer = 4 << 20

func (n narrow) Produce(ctx context.Context, messages ...kafkaio.Message) ([]kafkaio.Ack, error) {
	bytes := 0
	for i := range messages {
		bytes += len(messages[i].Key) + len(messages[i].Value)
	}
	if bytes > narrowBuffer {
		return nil, kafkaio.ErrOverloaded
	}
	return n.Producer.Produce(ctx, messages...)
}

func TestReportsThatTakeMoreThanTheProducersBufferArePublishedInSlices(t *testing.T) {
	t.Parallel()
	perform(t, 1, func(s *stage) {
		s.enter("a", func(c *Config) { c.Producer = narrow{c.Producer} })
		const recipients = 100
		s.submitted("large", recipients, func(sent *Sent) { sent.Origin.Key = []byte(strings.Repeat("k", 72<<10)) })
		s.submitted("bystander", 1, nil)
		settle()
		mobiles := make([]string, recipients)
		for i := range mobiles {
			mobiles[i] = fmt.Sprint(13800000000 + i)
		}
		s.pushed("large", "DELIVRD", mobiles...)
		s.pushed("bystander", "DELIVRD")
		settle()
		seen := map[string]bool{}
		for _, e := range s.reports() {
			seen[e.SendID+" "+e.To] = true
		}
		if len(seen) != recipients+1 || !seen["bystander 13800000000"] {
			t.Errorf("%d reports of %d, that of the push behind it: %v", len(seen), recipients+1, seen["bystander 13800000000"])
		}
	})
}
