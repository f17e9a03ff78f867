package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestEveryFaultOfTheConfigurationIsToldAtOnceAndExitsTwo(t *testing.T) {
	t.Parallel()
	p := start(t, []string{"run"}, "SMSBRIDGE_PROVIDER_URL=", "SMSBRIDGE_PUSH_AUTH=canary", "SMSBRIDGE_TYPO=1",
		"SMSBRIDGE_KAFKA_SESSION_TIMEOUT=1s", "SMSBRIDGE_SHUTDOWN_GRACE=2s")
	if code := p.exit(); code != exitUsage {
		t.Errorf("exit code %d", code)
	}
	told := p.out.String()
	for _, name := range []string{"PROVIDER_URL", "PUSH_AUTH", "SMSBRIDGE_TYPO", "KAFKA_SESSION_TIMEOUT", "SHUTDOWN_GRACE"} {
		if !strings.Contains(told, name) {
			t.Errorf("%s is not told in %s", name, told)
		}
	}
}

func TestExitCodesOfUsage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		code int
		told string
	}{
		"unknown command": {[]string{"fly"}, exitUsage, `unknown command "fly"`},
		"argument":        {[]string{"run", "fast"}, exitUsage, `"fast"`},
		"version":         {[]string{"version"}, exitStopped, "smsbridge"},
		"help":            {[]string{"help"}, exitStopped, "usage:"},
		"config":          {[]string{"config"}, exitStopped, "SMSBRIDGE_PROVIDER_URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, c.args)
			if code := p.exit(); code != c.code || !strings.Contains(p.out.String(), c.told) {
				t.Errorf("exit code %d, want %d and %q", code, c.code, c.told)
			}
		})
	}
}

func TestAPortThatIsTakenIsNamedByItsVariable(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, variable := range []string{"SMSBRIDGE_ADMIN_LISTEN", "SMSBRIDGE_PUSH_LISTEN"} {
		t.Run(variable, func(t *testing.T) {
			p := start(t, []string{"run"}, variable+"="+taken.Addr().String())
			if code := p.exit(); code != exitFailed || !strings.Contains(p.out.String(), variable) {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

func TestAStopBySignalExitsZeroAndTheNextProcessGoesOnWithoutLossOrRepeat(t *testing.T) {
	t.Parallel()
	for name, signal := range map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broker, provider := newBroker(t, kfake.SeedTopics(3, topics...)), newProvider(t)
			const commands = 40
			produce(t, broker, commands)
			settings := []string{"SMSBRIDGE_KAFKA_BROKERS=" + broker, "SMSBRIDGE_PROVIDER_URL=" + provider.URL, "SMSBRIDGE_PROVIDER_MAX_IN_FLIGHT=5"}
			p := start(t, []string{"run"}, settings...)
			for range 5 {
				<-provider.entered
			}
			p.signal(signal)
			p.logged("stopping") // before any of the answers
			close(provider.goOn)
			if code := p.exit(); code != exitStopped {
				t.Errorf("exit code %d", code)
			}
			if submits, results := 5+len(provider.entered), count(t, broker, "sms.results"); results != submits {
				t.Errorf("%d submits, %d results", submits, results)
			}

			p = start(t, []string{"run"}, settings...)
			p.eventually(func() error {
				if n := count(t, broker, "sms.results"); n < commands {
					return fmt.Errorf("%d results", n)
				}
				return nil
			})
			p.signal(signal)
			if code := p.exit(); code != exitStopped {
				t.Errorf("exit code %d", code)
			}
			submits, results, committed := 5+len(provider.entered), count(t, broker, "sms.results"), committed(t, broker)
			if submits != commands || results != commands || committed != commands {
				t.Errorf("%d submits, %d results, offsets committed for %d; want %d of each", submits, results, committed, commands)
			}
		})
	}
}

func TestASecondSignalEndsTheProcessAtOnce(t *testing.T) {
	t.Parallel()
	broker, provider := newBroker(t, kfake.SeedTopics(1, topics...)), newProvider(t)
	produce(t, broker, 1)
	p := start(t, []string{"run"}, "SMSBRIDGE_KAFKA_BROKERS="+broker, "SMSBRIDGE_PROVIDER_URL="+provider.URL, "SMSBRIDGE_PROVIDER_TIMEOUT=5m", "SMSBRIDGE_SHUTDOWN_GRACE=10m")
	<-provider.entered // and gets no answer
	p.signal(syscall.SIGTERM)
	p.logged("stopping")
	again := time.NewTicker(20 * time.Millisecond) // two signals that come too close to each other are one
	defer again.Stop()
	for deadline := time.Now().Add(patience); p.running() && time.Now().Before(deadline); <-again.C {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
	}
	if code := p.exit(); code == exitStopped {
		t.Errorf("exit code %d", code)
	}
}

func TestItWaitsForAKafkaThatIsAwayAndGoesOnByItself(t *testing.T) {
	t.Parallel()
	reserved, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	broker := reserved.Addr().String()
	port := reserved.Addr().(*net.TCPAddr).Port
	if err := reserved.Close(); err != nil {
		t.Fatal(err)
	}
	provider := newProvider(t)
	close(provider.goOn)
	p := start(t, []string{"run"}, "SMSBRIDGE_KAFKA_BROKERS="+broker, "SMSBRIDGE_PROVIDER_URL="+provider.URL)
	p.logged("waiting for kafka")
	p.admin("/healthz", 200)
	if body := p.admin("/readyz", 503); !strings.Contains(strings.ToLower(body), "kafka") {
		t.Errorf("not ready, because %q", body)
	}
	if got := p.push(); got != 503 {
		t.Errorf("a push is answered %d while nothing can be made durable", got)
	}
	newBroker(t, kfake.Ports(port), kfake.SeedTopics(3, topics...))
	p.admin("/readyz", 200)
	if got := p.push(); got != 200 {
		t.Errorf("a push is answered %d", got)
	}
	produce(t, broker, 3)
	p.eventually(func() error {
		if n := count(t, broker, "sms.results"); n != 3 {
			return errors.New(strconv.Itoa(n) + " results")
		}
		return nil
	})
	if told := strings.Count(p.out.String(), "waiting for kafka"); told != 1 {
		t.Errorf("the wait was told %d times", told)
	}
}

func TestItWaitsForTopicsThatAreMissing(t *testing.T) {
	t.Parallel()
	broker, provider := newBroker(t), newProvider(t)
	close(provider.goOn)
	p := start(t, []string{"run"}, "SMSBRIDGE_KAFKA_BROKERS="+broker, "SMSBRIDGE_PROVIDER_URL="+provider.URL)
	p.logged("waiting for kafka")
	p.eventually(func() error {
		if body := p.admin("/readyz", 503); !strings.Contains(body, "sms.") || !strings.Contains(body, "CREATE_TOPICS") {
			return errors.New("not ready, because " + body)
		}
		return nil
	})
	create := kmsg.NewPtrCreateTopicsRequest()
	for _, name := range topics {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 3, 1
		create.Topics = append(create.Topics, topic)
	}
	if _, err := create.RequestWith(t.Context(), newClient(t, broker)); err != nil {
		t.Fatal(err)
	}
	p.admin("/readyz", 200)
	produce(t, broker, 1)
	<-provider.entered
}

func TestItCreatesTopicsWhereItIsTold(t *testing.T) {
	t.Parallel()
	broker, provider := newBroker(t), newProvider(t)
	close(provider.goOn)
	p := start(t, []string{"run"}, "SMSBRIDGE_KAFKA_BROKERS="+broker, "SMSBRIDGE_PROVIDER_URL="+provider.URL,
		"SMSBRIDGE_KAFKA_CREATE_TOPICS=true", "SMSBRIDGE_KAFKA_TOPIC_PARTITIONS=2")
	p.logged("partitions assigned")
	produce(t, broker, 1)
	<-provider.entered
	p.admin("/readyz", 200)
}

func TestAWrongKafkaPasswordEndsItWithTheVariableNamed(t *testing.T) {
	t.Parallel()
	broker := newBroker(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "user", "right"), kfake.SeedTopics(1, topics...))
	p := start(t, []string{"run"}, "SMSBRIDGE_KAFKA_BROKERS="+broker, "SMSBRIDGE_KAFKA_SASL_MECHANISM=plain", "SMSBRIDGE_KAFKA_ALLOW_INSECURE_SASL=true",
		"SMSBRIDGE_KAFKA_SASL_USERNAME=user", "SMSBRIDGE_KAFKA_SASL_PASSWORD="+secret)
	if code := p.exit(); code != exitFailed || !strings.Contains(p.out.String(), "KAFKA_SASL_PASSWORD") {
		t.Errorf("exit code %d", code)
	}
}

// count returns how many records a topic has now.
func count(t *testing.T, broker, topic string) int {
	t.Helper()
	return len(records(t, broker, topic))
}

// records are all that stand on a topic.
func records(t *testing.T, broker, topic string) (all []*kgo.Record) {
	t.Helper()
	client := newClient(t, broker, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	end := sum(t, broker, topic)
	for len(all) < end && ctx.Err() == nil {
		all = append(all, client.PollFetches(ctx).Records()...)
	}
	return all
}

// sum adds up where the partitions of a topic end.
func sum(t *testing.T, broker, topic string) int {
	t.Helper()
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	asked := kmsg.NewListOffsetsRequestTopic()
	asked.Topic = topic
	for i := range 3 {
		partition := kmsg.NewListOffsetsRequestTopicPartition()
		partition.Partition, partition.Timestamp = int32(i), -1
		asked.Partitions = append(asked.Partitions, partition)
	}
	req.Topics = append(req.Topics, asked)
	total := 0
	for _, shard := range newClient(t, broker).RequestSharded(t.Context(), req) {
		if shard.Err != nil {
			t.Fatal(shard.Err)
		}
		for _, topic := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, partition := range topic.Partitions {
				total += int(max(0, partition.Offset))
			}
		}
	}
	return total
}

// committed adds up the offsets that the group has committed.
func committed(t *testing.T, broker string) int {
	t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = "smsbridge"
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	total := 0
	for _, shard := range newClient(t, broker, kgo.RequestRetries(10), kgo.RetryTimeout(10*time.Second)).RequestSharded(ctx, req) {
		if shard.Err != nil {
			t.Fatal(shard.Err)
		}
		for _, topic := range shard.Resp.(*kmsg.OffsetFetchResponse).Topics {
			for _, partition := range topic.Partitions {
				total += int(max(0, partition.Offset))
			}
		}
	}
	return total
}
