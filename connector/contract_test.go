package connector

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/binding/spec"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.yaml.in/yaml/v3"

	"smsbridge/codec"
)

// contract is what other programs are given: the AsyncAPI document and the JSON
// Schemas, by which records are judged.
type contract struct {
	t        *testing.T
	compiler *jsonschema.Compiler
}

const asyncAPI = "asyncapi.yaml"

func newContract(t *testing.T) *contract {
	t.Helper()
	c := &contract{t: t, compiler: jsonschema.NewCompiler()}
	c.compiler.AssertFormat()
	text, err := os.ReadFile("../deploy/" + asyncAPI)
	if err != nil {
		t.Fatal(err)
	}
	var document any
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	c.add(asyncAPI, document)
	files, err := filepath.Glob("../deploy/schemas/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no schemas", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(file, err)
		}
		c.add("schemas/"+filepath.Base(file), strict(schema))
	}
	return c
}

func (c *contract) add(name string, document any) {
	c.t.Helper()
	if err := c.compiler.AddResource("file:///"+name, document); err != nil {
		c.t.Fatal(name, err)
	}
}

func (c *contract) schema(place string) *jsonschema.Schema {
	c.t.Helper()
	schema, err := c.compiler.Compile("file:///" + place)
	if err != nil {
		c.t.Fatal(err)
	}
	return schema
}

// strict closes what the contract leaves open for later versions, which this
// one must not make use of without saying so: unknown fields, and values of
// enumerations, which the schemas only give as examples.
func strict(schema any) any {
	switch s := schema.(type) {
	case map[string]any:
		if s["properties"] != nil {
			s["additionalProperties"] = false
		}
		if known := s["examples"]; known != nil {
			s["enum"] = known
		}
		for _, inner := range s {
			strict(inner)
		}
	case []any:
		for _, inner := range s {
			strict(inner)
		}
	}
	return schema
}

// judge holds a record against what the AsyncAPI document says of its channel.
func (c *contract) judge(channel string, headers map[string]string, value []byte) error {
	c.t.Helper()
	named := map[string]any{}
	for k, v := range headers {
		named[k] = v
	}
	message := asyncAPI + "#/components/messages/" + channel
	if err := c.schema(message + "/headers").Validate(named); err != nil || channel == "deadletter" {
		return err
	}
	body, err := jsonschema.UnmarshalJSON(bytes.NewReader(value))
	if err != nil {
		return err
	}
	return c.schema(message + "/payload").Validate(body)
}

// golden reads a file that shows an event as it stands in Kafka: headers, key,
// value.
func golden(t *testing.T, file string) (headers map[string]string, value []byte) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := bytes.Cut(text, []byte("\n\n"))
	_, value, _ = bytes.Cut(rest, []byte("\n\n"))
	headers = map[string]string{}
	for line := range strings.Lines(string(head)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		headers[key] = value
	}
	return headers, value
}

func TestGoldenEventsKeepToTheSchemas(t *testing.T) {
	c := newContract(t)
	files, err := filepath.Glob("../codec/testdata/*.golden")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		channel, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".golden"), "-")
		headers, value := golden(t, file)
		if err := c.judge(channel, headers, value); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// Each of these is one mistake in an event that is right otherwise.
func TestSchemasRefuseWhatTheContractForbids(t *testing.T) {
	c := newContract(t)
	headers, right := golden(t, "../codec/testdata/report-delivered.golden")
	for name, change := range map[string]func(body map[string]any){
		"a field is missing":                func(b map[string]any) { delete(b, "missing") },
		"unknown is an empty string":        func(b map[string]any) { b["reason"] = "" },
		"a status that is none":             func(b map[string]any) { b["status"] = "arrived" },
		"a field that nobody knows":         func(b map[string]any) { b["colour"] = "red" },
		"a time without milliseconds":       func(b map[string]any) { b["done_at"] = "2026-01-02T03:04:08Z" },
		"a time that is none":               func(b map[string]any) { b["done_at"] = "2026-13-02T03:04:08.000Z" },
		"a number as text":                  func(b map[string]any) { b["revision"] = "1" },
		"a position without offset":         func(b map[string]any) { delete(b["command"].(map[string]any), "offset") },
		"metadata that is not all strings":  func(b map[string]any) { b["metadata"] = map[string]any{"n": 1} },
		"what must always be known is null": func(b map[string]any) { b["provider_message_id"] = nil },
	} {
		t.Run(name, func(t *testing.T) {
			var body map[string]any
			if err := json.Unmarshal(right, &body); err != nil {
				t.Fatal(err)
			}
			change(body)
			value, _ := json.Marshal(body)
			if err := c.judge("report", headers, value); err == nil {
				t.Error("passes")
			}
		})
	}
	for _, header := range []string{"ce_id", "ce_type", "ce_subject", "content-type"} {
		without := maps.Clone(headers)
		delete(without, header)
		if err := c.judge("report", without, right); err == nil {
			t.Errorf("passes without %s", header)
		}
	}
}

// What the schema can say, it says as the decoder does. It cannot say that names
// are given twice, how deep and large a value is, and how large its metadata.
func TestCommandSchemaAndDecoderAgree(t *testing.T) {
	schema := newContract(t).compiler
	text, err := os.ReadFile("../deploy/schemas/command.json")
	if err != nil {
		t.Fatal(err)
	}
	open, err := jsonschema.UnmarshalJSON(bytes.NewReader(text)) // a producer's own check is not strict
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.AddResource("file:///open.json", open); err != nil {
		t.Fatal(err)
	}
	command := schema.MustCompile("file:///open.json")
	for value, fine := range map[string]bool{
		`{"to":"13800000000","text":"t"}`:                                        true,
		`{"to":["13800000000","13900000000"],"text":"t","id":"a.b_c:d-1"}`:       true,
		`{"to":"13800000000","text":"t","colour":"red"}`:                         true,
		`{"to":"13800000000","text":"t","id":null,"class":null,"metadata":null}`: true,
		`{"to":"13800000000","text":"t","max_segments":null,"on_unknown":null}`:  true,
		`{"to":"13800000000","text":"t","metadata":{"a":"b","c":null}}`:          true,
		`{"to":"13800000000","text":"t","signature":"","extension":""}`:          true,
		`{"to":"13800000000","text":"t","send_at":"2026-01-02T03:04:05+08:00"}`:  true,
		`{"to":"13800000000","text":"t","class":"otp","on_unknown":"resend"}`:    true,
		`{"to":"13800000000","text":"t","max_segments":1}`:                       true,
		`{"to":"13800000000"}`:                                                false,
		`{"text":"t"}`:                                                        false,
		`{"to":"","text":"t"}`:                                                false,
		`{"to":[],"text":"t"}`:                                                false,
		`{"to":[13800000000],"text":"t"}`:                                     false,
		`{"to":13800000000,"text":"t"}`:                                       false,
		`{"to":"13800000000","text":" \n"}`:                                   false,
		`{"to":"13800000000","text":null}`:                                    false,
		`{"to":"13800000000","text":"t","id":""}`:                             false,
		`{"to":"13800000000","text":"t","id":"ä"}`:                            false,
		`{"to":"13800000000","text":"t","class":"urgent"}`:                    false,
		`{"to":"13800000000","text":"t","on_unknown":"guess"}`:                false,
		`{"to":"13800000000","text":"t","max_segments":0}`:                    false,
		`{"to":"13800000000","text":"t","max_segments":1.5}`:                  false,
		`{"to":"13800000000","text":"t","max_segments":"1"}`:                  false,
		`{"to":"13800000000","text":"t","extension":"12a"}`:                   false,
		`{"to":"13800000000","text":"t","extension":"123456789012345678901"}`: false,
		`{"to":"13800000000","text":"t","signature":"a\nb"}`:                  false,
		`{"to":"13800000000","text":"t","expires_at":"tomorrow"}`:             false,
		`{"to":"13800000000","text":"t","metadata":{"a":1}}`:                  false,
		`{"to":"13800000000","text":"t","metadata":["a"]}`:                    false,
		`["13800000000"]`:                                                     false,
	} {
		_, decoded := codec.DecodeCommand(codec.Incoming{Value: []byte(value)})
		body, err := jsonschema.UnmarshalJSON(strings.NewReader(value))
		if err != nil {
			t.Fatal(err)
		}
		validated := command.Validate(body)
		if (decoded == nil) != fine || (validated == nil) != fine {
			t.Errorf("%s: want fine=%v; decoder: %v; schema: %v", value, fine, decoded, validated)
		}
	}
}

// kafkaMessage lets the CloudEvents SDK read a record, by the names that its
// binding to Kafka has for attributes.
type kafkaMessage struct {
	headers map[string]string
	value   []byte
}

var kafkaNames = spec.WithPrefix("ce_")

func (m kafkaMessage) version() spec.Version { return kafkaNames.Version(m.headers["ce_specversion"]) }

func (m kafkaMessage) ReadEncoding() binding.Encoding {
	if m.version() == nil {
		return binding.EncodingUnknown
	}
	return binding.EncodingBinary
}

func (m kafkaMessage) ReadStructured(context.Context, binding.StructuredWriter) error {
	return binding.ErrNotStructured
}

func (m kafkaMessage) ReadBinary(_ context.Context, w binding.BinaryWriter) error {
	for key, value := range m.headers {
		var err error
		if key == "content-type" {
			err = w.SetAttribute(m.version().AttributeFromKind(spec.DataContentType), value)
		} else if attribute := m.version().Attribute(key); attribute != nil {
			err = w.SetAttribute(attribute, value)
		} else if name, ok := strings.CutPrefix(key, "ce_"); ok {
			err = w.SetExtension(name, value)
		}
		if err != nil {
			return err
		}
	}
	return w.SetData(bytes.NewReader(m.value))
}

func (m kafkaMessage) GetAttribute(kind spec.Kind) (spec.Attribute, any) {
	attribute := m.version().AttributeFromKind(kind)
	return attribute, m.headers[attribute.PrefixedName()]
}

func (m kafkaMessage) GetExtension(name string) any { return m.headers["ce_"+name] }

func (m kafkaMessage) Finish(error) error { return nil }

func TestEveryRecordOfARunKeepsToTheSchemasAndIsACloudEvent(t *testing.T) {
	c := newContract(t)
	l := newLab(t)
	traced := command("traced", "k", `,"metadata":{"order":"7"}`)
	traced.Headers = []kgo.RecordHeader{{Key: "traceparent", Value: []byte("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")}}
	l.answer = func(form url.Values) string {
		switch content := form.Get("content"); {
		case strings.Contains(content, "refused"):
			return "14,,0,0,0,no"
		case strings.Contains(content, "garbled"):
			return "<html>"
		default:
			return l.accept(form)
		}
	}
	l.produce(traced, command("traced", "k", ""), command("expired", "", `,"expires_at":"2026-01-01T00:00:00Z"`),
		command("refused", "", ""), command("garbled", "", ""), command("warned", "", `,"colour":"red","class":"otp"`),
		&kgo.Record{Value: []byte(`{"to":["13800000000","13800000001","12"],"text":"many"}`)},
		&kgo.Record{Key: []byte("k"), Value: []byte("no json")})
	const commands = 8
	pushURL, stop := l.start(func(cfg *Config) { cfg.Submit.MaxRecipients = 1 })
	sendid := ""
	for _, e := range l.results(commands)["traced"] {
		sendid += e.MessageID // the duplicate has none
	}
	for _, sendid := range []string{sendid, "20990101000000000000000000"} {
		for _, state := range []string{"DELIVRD", "MK:0011", "UNKNOWN"} {
			l.push(pushURL+"report", url.Values{"sendid": {sendid}, "mobile": {"13800000000"}, "state": {state}, "time": {"2026-01-01 8:00:00"}}, http.StatusOK)
		}
	}
	l.push(pushURL+"inbound", url.Values{"args": {"13900000000#@#T#@#2026-01-02 03:04:05#@#00817"}}, http.StatusOK)
	l.push(pushURL+"inbound", url.Values{"args": {"unreadable"}}, http.StatusOK)
	l.read(testTopics.Reports, 6) // orphans wait for their sendid first
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for channel, n := range map[string]int{"result": commands, "report": 6, "inbound": 1, "account": 1, "deadletter": 2} {
		topic := map[string]string{
			"result": testTopics.Results, "report": testTopics.Reports, "inbound": testTopics.Inbound,
			"account": testTopics.Account, "deadletter": testTopics.DeadLetter,
		}[channel]
		for _, r := range l.read(topic, n) {
			headers := map[string]string{}
			for _, h := range r.Headers {
				headers[h.Key] = string(h.Value)
			}
			if err := c.judge(channel, headers, r.Value); err != nil {
				t.Errorf("%s: %v\n%v\n%s", topic, err, headers, r.Value)
			}
			if channel != "deadletter" {
				isCloudEvent(t, channel, kafkaMessage{headers, r.Value})
			}
		}
	}
}

// isCloudEvent reads a record with the SDK and holds what it understood against
// the body.
func isCloudEvent(t *testing.T, channel string, m kafkaMessage) {
	t.Helper()
	event, err := binding.ToEvent(t.Context(), m)
	if err == nil {
		err = event.Validate()
	}
	if err != nil {
		t.Errorf("%s: %v\n%v", channel, err, m.headers)
		return
	}
	var body struct {
		EventID   string `json:"event_id"`
		CommandID string `json:"command_id"`
		MessageID string `json:"provider_message_id"`
	}
	if err := event.DataAs(&body); err != nil {
		t.Error(err)
	}
	subject := body.CommandID
	if subject == "" && channel == "report" {
		subject = body.MessageID
	}
	if event.ID() != body.EventID || event.Source() != "smsbridge/default" || event.Type() != "smsbridge."+channel+".v1" ||
		event.Subject() != subject || event.DataContentType() != "application/json" || event.Time().IsZero() || len(event.Extensions()) > 0 {
		t.Errorf("%s: read as\n%v", channel, event)
	}
}
