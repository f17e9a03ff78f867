package correlate

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

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

func TestReportsThatTheirTopicDoesNotTakeWholeAreToldShortened(t *testing.T) {
	t.Parallel()
	perform(t, 1, func(s *stage) {
		for _, topic := range []string{reportsTopic, deadTopic} {
			limit := "2500"
			req := kmsg.NewPtrIncrementalAlterConfigsRequest()
			req.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{
				ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: topic,
				Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "max.message.bytes", Value: &limit}},
			}}
			if _, err := req.RequestWith(s.t.Context(), s.client); err != nil {
				t.Fatal(err)
			}
		}
		s.enter("a", nil)
		s.submitted("large", 2, func(sent *Sent) {
			sent.Origin.Key = []byte(strings.Repeat("k", 5000))
			sent.Origin.Metadata = map[string]string{"note": strings.Repeat("m", 1000)}
		})
		s.submitted("bystander", 1, nil)
		settle()
		s.write(kafkaio.Message{Topic: pushesTopic, Key: []byte("poison"), Value: []byte(strings.Repeat("{", 5000))})
		s.pushed("large", "DELIVRD", "13800000001", "13800000002")
		s.pushed("bystander", "DELIVRD")
		settle()
		s.want("large 13800000001 delivered matched", "large 13800000002 delivered matched", "bystander 13800000000 delivered matched")
		for _, e := range s.reports() {
			if whole := strings.Contains(e.value, `"metadata":null`); whole != (e.SendID == "large") {
				t.Errorf("%s", e.value)
			}
		}
		if dead := s.records(deadTopic); len(dead) != 1 || len(dead[0].Value) != 0 {
			t.Errorf("%d dead letters", len(dead))
		}
	})
}
