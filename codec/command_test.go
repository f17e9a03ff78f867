package codec

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"smsbridge/codec/sms"
)

// incoming is a record of the command topic with the value given.
func incoming(value string) Incoming {
	return Incoming{
		Source: sms.Position{Topic: "sms.commands", Partition: 3, Offset: 42},
		At:     time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Key:    []byte("key"),
		Value:  []byte(value),
	}
}

func TestCommandWithEveryField(t *testing.T) {
	in := incoming(`{
		"id": "order-1:a.b_c", "to": ["13800000001", "+86 139 0000 0001"], "text": "code 1\n\u4f60\u597d\ud83d\ude00",
		"signature": "公司", "extension": "123", "send_at": "2026-01-02T12:00:00+08:00", "expires_at": "2026-01-02T05:00:00.5Z",
		"class": "otp", "on_unknown": "resend", "max_segments": 2, "metadata": {"tenant": "a", "empty": "", "gone": null}
	}`)
	in.Headers = []Header{
		{"other", []byte("x")},
		{"traceparent", []byte("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")},
		{"tracestate", []byte("a=b")},
	}
	got, err := DecodeCommand(in)
	if err != nil {
		t.Fatal(err)
	}
	want := sms.Command{
		ID:          "order-1:a.b_c",
		To:          []string{"13800000001", "+86 139 0000 0001"},
		Text:        "code 1\n你好😀",
		Signature:   "公司",
		Extension:   "123",
		SendAt:      time.Date(2026, 1, 2, 4, 0, 0, 0, time.UTC),
		ExpiresAt:   time.Date(2026, 1, 2, 5, 0, 0, 5e8, time.UTC),
		Class:       sms.OTP,
		OnUnknown:   sms.ResendUnknown,
		MaxSegments: 2,
		Metadata:    map[string]string{"tenant": "a", "empty": ""},
		Source:      in.Source,
		Key:         in.Key,
		At:          in.At,
		Trace:       sms.Trace{Parent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", State: "a=b"},
	}
	if !got.SendAt.Equal(want.SendAt) || !got.ExpiresAt.Equal(want.ExpiresAt) {
		t.Errorf("times %v and %v", got.SendAt, got.ExpiresAt)
	}
	got.SendAt, got.ExpiresAt = want.SendAt, want.ExpiresAt
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestCommandWithTheLeastIsANoticeNamedByItsPosition(t *testing.T) {
	for name, value := range map[string]string{
		"plain":            `{"to":"13800000001","text":"hi"}`,
		"nulls are absent": `{"id":null,"to":"13800000001","text":"hi","class":null,"metadata":null,"send_at":null,"max_segments":null,"on_unknown":null,"signature":null,"extension":null,"expires_at":null}`,
		"Confluent prefix": "\x00\x00\x00\x00\x07" + `{"to":"13800000001","text":"hi"}`,
		"blanks around":    " \r\n{ \"to\" : \"13800000001\" ,\t\"text\" : \"hi\" } \n",
		"escaped names":    `{"\u0074o":"1\u0033800000001","text":"h\u0069"}`,
		"empty optionals":  `{"to":["13800000001"],"text":"hi","signature":"","extension":""}`,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := DecodeCommand(incoming(value))
			want := incoming(value)
			if err != nil || !reflect.DeepEqual(got, sms.Command{
				ID: "sms.commands:3:42", To: []string{"13800000001"}, Text: "hi", Class: sms.Notice,
				Source: want.Source, Key: want.Key, At: want.At,
			}) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestUnknownFieldsAreToldByNameWithinBounds(t *testing.T) {
	got, err := DecodeCommand(incoming(`{"To":1,"to":"13800000001","text":"hi","priority":{"a":[1,{"b":"}]\""}]},"nothing":null}`))
	if want := []string{"To", "priority"}; err != nil || !slices.Equal(got.Warnings, want) {
		t.Errorf("got %q, %v, want %q", got.Warnings, err, want)
	}
	value := `{"to":"13800000001","text":"hi"`
	for i := range 1000 {
		value += fmt.Sprintf(`,"%s%d":0`, strings.Repeat("长", 100), i)
		if i == 100 {
			break
		}
	}
	got, err = DecodeCommand(incoming(value + "}"))
	if err != nil || len(got.Warnings) != 20 || got.Warnings[0] != strings.Repeat("长", 64) {
		t.Errorf("%d warnings, %v", len(got.Warnings), err)
	}
}

// Every value of these holds the word secret or the number, and no error may.
func TestCommandThatCannotBeUsedIsToldByFieldRuleAndRemedy(t *testing.T) {
	const rest = `"to":"13800000001","text":"secret"`
	long := strings.Repeat("secret", 200)
	for name, c := range map[string]struct{ value, field string }{
		"tombstone":                {"", "value"},
		"prefix alone":             {"\x00\x00\x00\x00\x01", "value"},
		"not JSON":                 {`secret`, "value"},
		"array":                    {`["secret"]`, "value"},
		"string":                   {`"secret"`, "value"},
		"null":                     {`null`, "value"},
		"cut":                      {`{"text":"secret`, "value"},
		"rubbish behind":           {`{` + rest + `}secret`, "value"},
		"two objects":              {`{` + rest + `}{` + rest + `}`, "value"},
		"trailing comma":           {`{` + rest + `,}`, "value"},
		"too large":                {`{` + rest + `}` + strings.Repeat(" ", MaxValue-len(rest)-1), "value"},
		"not UTF-8":                {"{\"to\":\"13800000001\",\"text\":\"secret\xff\"}", "value"},
		"too deep":                 {`{` + rest + `,"x":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + `}`, "value"},
		"megabyte of brackets":     {strings.Repeat("[", 60000), "value"},
		"field twice":              {`{` + rest + `,"to":"13900000001"}`, "value"},
		"field twice, escaped":     {`{` + rest + `,"\u0074o":"13900000001"}`, "value"},
		"unknown field twice":      {`{` + rest + `,"secret":1,"secret":2}`, "value"},
		"no to":                    {`{"text":"secret"}`, "to"},
		"to is null":               {`{"to":null,"text":"secret"}`, "to"},
		"to is empty":              {`{"to":"","text":"secret"}`, "to"},
		"to is an empty array":     {`{"to":[],"text":"secret"}`, "to"},
		"to is a number":           {`{"to":13800000001,"text":"secret"}`, "to"},
		"to holds a number":        {`{"to":["13800000001",13800000001],"text":"secret"}`, "to"},
		"to holds null":            {`{"to":[null],"text":"secret"}`, "to"},
		"to is an object":          {`{"to":{"n":"13800000001"},"text":"secret"}`, "to"},
		"no text":                  {`{"to":"13800000001"}`, "text"},
		"blank text":               {`{"to":"13800000001","text":" \n　"}`, "text"},
		"text is a number":         {`{"to":"13800000001","text":13800000001}`, "text"},
		"half a pair":              {`{"to":"13800000001","text":"secret\ud83d"}`, "text"},
		"half a pair, then escape": {`{"to":"13800000001","text":"secret\ud83d\u0041"}`, "text"},
		"pair turned round":        {`{"to":"13800000001","text":"secret\ude00\ud83d"}`, "text"},
		"empty id":                 {`{"id":"",` + rest + `}`, "id"},
		"blank in id":              {`{"id":"a secret",` + rest + `}`, "id"},
		"Chinese id":               {`{"id":"号",` + rest + `}`, "id"},
		"newline in id":            {`{"id":"secret\n",` + rest + `}`, "id"},
		"long id":                  {`{"id":"` + strings.Repeat("a", 65) + `",` + rest + `}`, "id"},
		"id is a number":           {`{"id":1,` + rest + `}`, "id"},
		"newline in signature":     {`{"signature":"secret\r\n",` + rest + `}`, "signature"},
		"signature is a number":    {`{"signature":1,` + rest + `}`, "signature"},
		"letters in extension":     {`{"extension":"12secret",` + rest + `}`, "extension"},
		"full-width extension":     {`{"extension":"１２",` + rest + `}`, "extension"},
		"long extension":           {`{"extension":"` + strings.Repeat("1", 21) + `",` + rest + `}`, "extension"},
		"extension is a number":    {`{"extension":12,` + rest + `}`, "extension"},
		"send_at without a zone":   {`{"send_at":"2026-01-02T03:04:05",` + rest + `}`, "send_at"},
		"send_at is empty":         {`{"send_at":"",` + rest + `}`, "send_at"},
		"send_at is a number":      {`{"send_at":1767323045,` + rest + `}`, "send_at"},
		"expires_at in year one":   {`{"expires_at":"0001-01-01T00:00:00Z",` + rest + `}`, "expires_at"},
		"expires_at is secret":     {`{"expires_at":"secret",` + rest + `}`, "expires_at"},
		"class":                    {`{"class":"secret",` + rest + `}`, "class"},
		"class in capitals":        {`{"class":"OTP",` + rest + `}`, "class"},
		"class is a number":        {`{"class":1,` + rest + `}`, "class"},
		"on_unknown":               {`{"on_unknown":"secret",` + rest + `}`, "on_unknown"},
		"max_segments is zero":     {`{"max_segments":0,` + rest + `}`, "max_segments"},
		"max_segments is negative": {`{"max_segments":-1,` + rest + `}`, "max_segments"},
		"max_segments is a part":   {`{"max_segments":1.5,` + rest + `}`, "max_segments"},
		"max_segments is a string": {`{"max_segments":"1",` + rest + `}`, "max_segments"},
		"max_segments is endless":  {`{"max_segments":99999999999999999999,` + rest + `}`, "max_segments"},
		"metadata is a string":     {`{"metadata":"secret",` + rest + `}`, "metadata"},
		"metadata holds a number":  {`{"metadata":{"secret":1},` + rest + `}`, "metadata"},
		"metadata is too large":    {`{"metadata":{"a":"` + long + `"},` + rest + `}`, "metadata"},
		"metadata has a long name": {`{"metadata":{"` + long + `":"a"},` + rest + `}`, "metadata"},
		"metadata has one twice":   {`{"metadata":{"secret":"1","secret":"2"},` + rest + `}`, "metadata"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := DecodeCommand(incoming(c.value))
			var invalid *Invalid
			if !errors.As(err, &invalid) || invalid.Field != c.field || invalid.Rule == "" || invalid.Remedy == "" {
				t.Fatalf("got %v, want a fault of %s", err, c.field)
			}
			if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "138") {
				t.Errorf("the error tells a value: %v", err)
			}
		})
	}
}

func TestBoundsOfACommandAreInclusive(t *testing.T) {
	const rest = `"to":"13800000001","text":"hi"`
	value := `{` + rest + `}`
	for name, value := range map[string]string{
		"64 KiB":              value + strings.Repeat(" ", MaxValue-len(value)),
		"64 KiB and a prefix": "\x00\x00\x00\x00\x01" + value + strings.Repeat(" ", MaxValue-len(value)),
		"16 levels":           `{` + rest + `,"x":` + strings.Repeat("[", 15) + strings.Repeat("]", 15) + `}`,
		"brackets in strings": `{` + rest + `,"x":"` + strings.Repeat(`[\"{`, 100) + `"}`,
		"1 KiB of metadata":   `{` + rest + `,"metadata":{"a":"` + strings.Repeat("b", 1023) + `"}}`,
		"64 characters of id": `{` + rest + `,"id":"` + strings.Repeat("a", 64) + `"}`,
		"written U+FFFD":      `{"to":"13800000001","text":"\ufffd\uFFFD` + "\ufffd" + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := DecodeCommand(incoming(value)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestUnusableCommandStillHasItsIDAndMetadata(t *testing.T) {
	got, err := DecodeCommand(incoming(`{"class":"x","to":5,"metadata":{"a":"b"},"id":"late"}`))
	if err == nil || got.ID != "late" || got.Metadata["a"] != "b" || got.Class != sms.Notice {
		t.Errorf("got %+v, %v", got, err)
	}
	got, err = DecodeCommand(incoming(`{"id":"not good","text":1}`))
	if err == nil || got.ID != "sms.commands:3:42" {
		t.Errorf("got id %q, %v", got.ID, err)
	}
}

func TestOverlongTraceContextIsLeftBehind(t *testing.T) {
	in := incoming(`{"to":"13800000001","text":"hi"}`)
	in.Headers = []Header{{"Traceparent", []byte("00-x")}, {"tracestate", make([]byte, 513)}}
	if got, _ := DecodeCommand(in); got.Trace != (sms.Trace{Parent: "00-x"}) {
		t.Errorf("got %+v", got.Trace)
	}
}

// encoding/json is the second opinion: what it reads of a command is what we
// read, and nothing makes the decoder panic or grow.
func FuzzCommand(f *testing.F) {
	for _, seed := range []string{
		`{"id":"a","to":["13800000001"],"text":"\u4f60\ud83d\ude00\n","metadata":{"a":"b"},"max_segments":2,"class":"otp"}`,
		`{"to":"13800000001","text":"hi","x":[{"y":"}]\\\""},1e5,true,null],"send_at":"2026-01-02T03:04:05Z"}`,
		"\x00\x00\x00\x00\x01{}", `{"text":"\ud83d"}`, `[[[[`, `{"a":1,"a":2}`, "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		in := incoming("")
		in.Value = value
		cmd, err := DecodeCommand(in)
		if cmd.ID == "" || cmd.Class == "" || len(cmd.Warnings) > 20 {
			t.Fatalf("result could not be made of %+v", cmd)
		}
		if err != nil {
			if _, ok := errors.AsType[*Invalid](err); !ok {
				t.Fatalf("untyped error: %v", err)
			}
			return
		}
		if value[0] == 0 {
			value = value[5:]
		}
		var second map[string]any
		if err := json.Unmarshal(value, &second); err != nil {
			t.Fatalf("accepted what encoding/json refuses: %v", err)
		}
		if second["text"] != cmd.Text || second["class"] != nil && second["class"] != string(cmd.Class) {
			t.Errorf("got %q, encoding/json reads %q", cmd.Text, second["text"])
		}
		if to, ok := second["to"].(string); ok && !slices.Equal(cmd.To, []string{to}) {
			t.Errorf("got %q, encoding/json reads %q", cmd.To, to)
		}
	})
}

func FuzzUnquote(f *testing.F) {
	for _, seed := range []string{`"a\\\"\/\b\f\n\r\t\u0041"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ude00\ud83d\u0041"`, `"\ud83dx"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var want string
		if raw = []byte(strings.TrimSpace(strings.ToValidUTF8(string(raw), ""))); json.Unmarshal(raw, &want) != nil || raw[0] != '"' {
			return
		}
		if got, whole := unquote(raw); got != want || !whole && !strings.Contains(got, "\ufffd") {
			t.Errorf("got %q, %v, want %q", got, whole, want)
		}
	})
}

func BenchmarkDecodeCommand(b *testing.B) {
	in := incoming(`{"id":"order-20260102-000042","to":"13800000001","text":"您的验证码是123456，请在5分钟内使用。","class":"otp","metadata":{"tenant":"a","order":"42"}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeCommand(in); err != nil {
			b.Fatal(err)
		}
	}
}

func TestAKeyThatIsTooLongMakesTheCommandInvalidUnderItsID(t *testing.T) {
	for name, value := range map[string]string{"readable": `{"id":"a","to":"13800000001","text":"hi"}`, "not readable": "x"} {
		t.Run(name, func(t *testing.T) {
			in := incoming(value)
			in.Key = make([]byte, MaxKey+1)
			cmd, err := DecodeCommand(in)
			var invalid *Invalid
			if !errors.As(err, &invalid) || invalid.Field != "key" || cmd.Key != nil || cmd.ID == "" {
				t.Errorf("error %v, key of %d bytes, id %q", err, len(cmd.Key), cmd.ID)
			}
		})
	}
	in := incoming(`{"id":"a","to":"13800000001","text":"hi"}`)
	in.Key = make([]byte, MaxKey)
	if cmd, err := DecodeCommand(in); err != nil || len(cmd.Key) != MaxKey {
		t.Errorf("a key of exactly 4 KiB: %v", err)
	}
}
