package kafkaio

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The broker of the tests has one replica of everything, so that it makes no
// difference to it: the request itself must say so.
func TestRecordsAreAcknowledgedByAllReplicas(t *testing.T) {
	t.Parallel()
	fake := startFake(t)
	c := openClient(t, fake.ListenAddrs())
	topic := newTopic(t, c, 1)
	asked := make(chan int16, 100) // more than there are requests
	fake.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		asked <- r.(*kmsg.ProduceRequest).Acks
		return nil, nil, false
	})
	p := c.NewProducer(ProducerConfig{})
	t.Cleanup(func() { _ = p.Close(t.Context()) })
	go func() { _, _ = p.Produce(t.Context(), Message{Topic: topic, Value: []byte("v")}) }()
	if acks := <-asked; acks != -1 {
		t.Errorf("the request asks for %d acks, and -1 is all", acks)
	}
}
