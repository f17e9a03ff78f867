package kafkaio

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// Versions of Metadata that we speak. kafka-go ends at 8; topic ids came with
// 10 (Kafka 2.8).
const (
	metadataOldest = 8
	metadataFlex   = 9
	metadataIDs    = 10
	metadataNewest = 12
)

// clusterView is one broker's view of the cluster.
type clusterView struct {
	id         string
	controller int32
	brokers    map[int32]string // host:port
	topics     map[string]topicView
}

type topicView struct {
	err        kafka.Error // 0: exists
	id         [16]byte    // zeros from brokers before 2.8
	partitions []partitionView
	operations int32 // what we may do, see Rights; only where it was asked for
}

type partitionView struct {
	leader   int32 // below 0: none now
	epoch    int32 // of the leader, grows with each change; -1: not told
	replicas int
}

// view asks any broker about topics; without names, about the brokers alone.
// Topics are never created by asking.
func (c *Client) view(ctx context.Context, topics ...string) (clusterView, error) {
	return c.look(ctx, &metadataRequest{topics: topics})
}

func (c *Client) look(ctx context.Context, req *metadataRequest) (clusterView, error) {
	res, err := c.ask(ctx, anyBroker, req, newestVersion, nil)
	if err != nil {
		return clusterView{}, fmt.Errorf("asking for the cluster's layout: %w", err)
	}
	view := res.(*metadataAnswer).view
	c.brokers.learn(view.brokers)
	return view, nil
}

// metadataRequest is our own, because kafka-go's knows no topic ids.
type metadataRequest struct {
	topics []string
	rights bool // ask what we may do with the topics
}

type metadataAnswer struct{ view clusterView }

// ApiKey implements protocol.Message.
func (*metadataRequest) ApiKey() protocol.ApiKey { return protocol.Metadata } //nolint:revive // the interface's spelling

// ApiKey implements protocol.Message.
func (*metadataAnswer) ApiKey() protocol.ApiKey { return protocol.Metadata } //nolint:revive // the interface's spelling

// exchange implements asked.
func (m *metadataRequest) exchange(c *conn) (protocol.Message, error) {
	version := min(c.offered[protocol.Metadata], metadataNewest)
	if version < metadataOldest {
		return nil, fmt.Errorf("the broker speaks Metadata up to version %d: Kafka 2.3 or later is needed", version)
	}
	flex := version >= metadataFlex
	id := correlation.Add(1)
	body, err := exchange(c, appendHeader(nil, int16(protocol.Metadata), version, id, c.clientID, flex), m.encode(version), id, maxAnswer)
	if err != nil {
		return nil, err
	}
	r := &reader{b: body, flex: flex}
	r.tags()
	view := readView(r, version)
	if r.bad {
		return nil, errors.New("the broker's answer to Metadata cannot be read")
	}
	return &metadataAnswer{view}, nil
}

func (m *metadataRequest) encode(version int16) []byte {
	flex := version >= metadataFlex
	var b []byte
	if flex {
		b = binary.AppendUvarint(b, uint64(len(m.topics))+1)
	} else {
		b = binary.BigEndian.AppendUint32(b, uint32(len(m.topics)))
	}
	for _, topic := range m.topics {
		if version >= metadataIDs {
			b = append(b, make([]byte, 16)...)
		}
		b = appendString(b, topic, flex)
		if flex {
			b = append(b, 0)
		}
	}
	b = append(b, 0) // allow_auto_topic_creation
	if version <= metadataIDs {
		b = append(b, 0) // include_cluster_authorized_operations
	}
	rights := byte(0)
	if m.rights {
		rights = 1
	}
	b = append(b, rights) // include_topic_authorized_operations
	if flex {
		b = append(b, 0)
	}
	return b
}

func readView(r *reader, version int16) clusterView {
	r.int32() // throttle
	v := clusterView{brokers: map[int32]string{}, topics: map[string]topicView{}}
	for range r.array(10) {
		id := r.int32()
		host, port := r.string(), r.int32()
		v.brokers[id] = joinHostPort(host, port)
		r.string() // rack
		r.tags()
	}
	v.id = r.string()
	v.controller = r.int32()
	for range r.array(8) {
		var t topicView
		t.err = kafka.Error(r.int16())
		name := r.string()
		if version >= metadataIDs {
			copy(t.id[:], r.take(16))
		}
		r.take(1) // is_internal
		t.partitions = readPartitions(r)
		t.operations = r.int32()
		r.tags()
		v.topics[name] = t
	}
	return v
}

// readPartitions returns the partitions by number. A number missing from the
// answer becomes a partition without leader.
func readPartitions(r *reader) []partitionView {
	count := r.array(20)
	partitions := slices.Repeat([]partitionView{{leader: -1, epoch: -1}}, count)
	for range count {
		code, number := r.int16(), int(r.int32())
		p := partitionView{leader: r.int32(), epoch: r.int32()}
		p.replicas = r.ints()
		r.ints() // in sync
		r.ints() // offline
		r.tags()
		if kafka.Error(code) == kafka.LeaderNotAvailable {
			p.leader = -1
		}
		if number < 0 || number >= count {
			r.bad, r.b = true, nil
			return nil
		}
		partitions[number] = p
	}
	return partitions
}

// apiVersions asks which versions of each request the broker takes and returns
// the highest ones.
func apiVersions(rw io.ReadWriter, clientID string) (map[protocol.ApiKey]int16, error) {
	id := correlation.Add(1)
	body, err := exchange(rw, appendHeader(nil, int16(protocol.ApiVersions), 0, id, clientID, false), nil, id, maxAnswer)
	if err != nil {
		return nil, err
	}
	r := &reader{b: body}
	if code := r.int16(); code != 0 {
		return nil, kafka.Error(code)
	}
	count := r.array(6)
	newest := make(map[protocol.ApiKey]int16, count)
	for range count {
		key := protocol.ApiKey(r.int16())
		r.int16() // oldest
		newest[key] = r.int16()
	}
	if r.bad {
		return nil, errors.New("the broker's answer to ApiVersions cannot be read")
	}
	return newest, nil
}
