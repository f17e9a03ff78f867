package submit

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
	"smsbridge/connector/provider"
)

func TestResultTellsWhatWasSubmitted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(context.Context, provider.Request) (wire.Answer, *provider.Failure) {
			return wire.Answer{}, &provider.Failure{}
		}, nil, func(c *Config) { c.Signature = "公司" })
		key := codec.HashKey("key of the tests")
		at := time.Now()
		cmd := &sms.Command{ID: "c", To: []string{"+86 138 0000 0001", "13800000001"}, Text: "hi", Extension: "12", Class: sms.OTP, At: at, ExpiresAt: at.Add(time.Hour)}
		p := l.planFor(cmd)
		r := l.sum(cmd, &p, nil)
		if r.Signature != "公司" || r.Extension != "12" || !r.ExpiresAt.Equal(at.Add(5*time.Minute)) ||
			r.TextHash != key.Hash("hi") || r.ToHash != key.Hash("13800000001") {
			t.Errorf("%+v", r)
		}
		cmd.To = append(cmd.To, "13800000002")
		p = l.planFor(cmd)
		if r = l.sum(cmd, &p, nil); r.ToHash != "" {
			t.Error("one hash for two people")
		}
		cmd.Text = "【别】hi"
		cmd.Signature = "别"
		p = l.planFor(cmd)
		if r = l.sum(cmd, &p, nil); r.Signature != "别" || r.TextHash != key.Hash("【别】hi") {
			t.Errorf("signature %q", r.Signature)
		}
		if r = l.Invalid(cmd, context.Canceled); !r.ExpiresAt.IsZero() {
			t.Error("what could not be read has an end")
		}
	})
}
