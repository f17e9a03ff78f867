package suppress

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
)

var (
	noon     = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	today    = codec.HashKey("the key of today, long enough")
	earlier  = codec.HashKey("the key before, long enough")
	somebody = "13800000001"
	another  = "13800000002"
)

func record(m kafkaio.Message) *kafkaio.Record {
	return &kafkaio.Record{Key: m.Key, Value: m.Value, Time: noon}
}

func add(key codec.HashKey, class sms.Class, digits string) *kafkaio.Record {
	return record(AddRecord("t", key, Suppression{Class: class, Person: PersonOf(key, digits), At: noon, By: ByPerson}))
}

func lift(key codec.HashKey, class sms.Class, digits string) *kafkaio.Record {
	return record(LiftRecord("t", class, PersonOf(key, digits)))
}

func TestAPersonIsSuppressedForTheClassesThatWereNamedUntilItIsLifted(t *testing.T) {
	t.Parallel()
	l := NewList(slog.New(slog.DiscardHandler), today)
	for _, rec := range []*kafkaio.Record{add(today, sms.Marketing, somebody), add(today, sms.Notice, somebody), add(today, sms.Notice, somebody)} {
		l.take(rec)
	}
	for _, tc := range []struct {
		class  sms.Class
		digits string
		want   bool
	}{
		{sms.Marketing, somebody, true}, {sms.Notice, somebody, true}, {sms.OTP, somebody, false}, {sms.Marketing, another, false},
	} {
		if got := l.Suppressed(tc.class, tc.digits); got != tc.want {
			t.Errorf("%s: suppressed %t", tc.class, got)
		}
	}
	if l.Len() != 2 {
		t.Errorf("%d suppressions", l.Len())
	}
	l.take(lift(today, sms.Marketing, somebody))
	if l.Suppressed(sms.Marketing, somebody) || !l.Suppressed(sms.Notice, somebody) {
		t.Error("lifting one class is not about that class alone")
	}
	l.take(lift(today, sms.Notice, somebody))
	l.take(lift(today, sms.Notice, somebody))
	if l.Len() != 0 || len(l.people) != 0 {
		t.Errorf("%d suppressions and %d people left", l.Len(), len(l.people))
	}
}

func TestSuppressionsUnderTheKeyBeforeHold(t *testing.T) {
	t.Parallel()
	l := NewList(slog.New(slog.DiscardHandler), today, earlier)
	l.take(add(earlier, sms.Marketing, somebody))
	if err := l.check(); err != nil || !l.Suppressed(sms.Marketing, somebody) {
		t.Errorf("not recognised by the key before: %v", err)
	}
}

func TestSuppressionsUnderAnUnknownKeyAreAnErrorThatNamesTheKeyButNotTheSecret(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	l := NewList(slog.New(slog.NewTextHandler(&log, nil)), today, nil)
	for _, digits := range []string{somebody, another} {
		l.take(add(earlier, sms.Marketing, digits))
	}
	err := l.check()
	if !errors.Is(err, ErrForeignKey) || !strings.Contains(err.Error(), earlier.Fingerprint()) || !strings.Contains(err.Error(), "2 of them") {
		t.Errorf("error %v", err)
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
		t.Errorf("logged %d times", n)
	}
	for _, digits := range []string{somebody, another} {
		l.take(lift(earlier, sms.Marketing, digits))
	}
	if err := l.check(); err != nil {
		t.Errorf("still an error after all were lifted: %v", err)
	}
}

func TestWhatIsNoSuppressionChangesNothingAndAnUnreadableValueSuppressesAllTheSame(t *testing.T) {
	t.Parallel()
	l := NewList(slog.New(slog.DiscardHandler), today)
	good := add(today, sms.Marketing, somebody)
	for name, key := range map[string]string{
		"nothing": "", "no person": "marketing/", "no class": "/" + PersonOf(today, somebody).String(),
		"another class": "spam/" + PersonOf(today, somebody).String(), "no HMAC": "marketing/" + somebody,
		"too long": string(good.Key) + "00", "no digits": "marketing/" + strings.Repeat("zz", 32),
	} {
		if err := l.apply(&kafkaio.Record{Key: []byte(key), Value: good.Value}); err == nil {
			t.Errorf("%s: not told", name)
		}
	}
	if l.Len() != 0 {
		t.Errorf("%d suppressions", l.Len())
	}
	l.take(&kafkaio.Record{Key: good.Key, Value: []byte("{")})
	if err := l.check(); err != nil || !l.Suppressed(sms.Marketing, somebody) {
		t.Errorf("an unreadable value hid whom it is about: %v", err)
	}
}

func TestAnInboundMessageAsksForWhatItsKeywordSays(t *testing.T) {
	t.Parallel()
	classes := []sms.Class{sms.Marketing, sms.Notice}
	for name, tc := range map[string]struct {
		keyword    sms.Keyword
		confidence sms.Confidence
		alone      bool
		before     bool
		want       bool
	}{
		"opt_out":                       {sms.OptOut, sms.High, true, false, true},
		"opt_out among others":          {sms.OptOut, sms.High, false, false, true},
		"opt_out that may be two":       {sms.OptOut, sms.Low, true, false, true},
		"opt_in":                        {sms.OptIn, sms.High, true, true, false},
		"opt_in among others":           {sms.OptIn, sms.High, false, true, true},
		"opt_in that may be two":        {sms.OptIn, sms.Low, true, true, true},
		"help":                          {sms.Help, sms.High, true, true, true},
		"no keyword":                    {"", sms.High, true, false, false},
		"opt_in of who never opted out": {sms.OptIn, sms.High, true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := NewList(slog.New(slog.DiscardHandler), today)
			if tc.before {
				l.take(add(today, sms.Marketing, somebody))
				l.take(add(today, sms.Notice, somebody))
			}
			m := &sms.Inbound{From: somebody, Keyword: tc.keyword, Confidence: tc.confidence, ReceivedAt: noon}
			for _, message := range Desired("t", today, classes, m, tc.alone) {
				l.take(record(message))
			}
			for _, class := range classes {
				if got := l.Suppressed(class, somebody); got != tc.want {
					t.Errorf("%s: suppressed %t", class, got)
				}
			}
			if l.Suppressed(sms.OTP, somebody) {
				t.Error("one-time codes are suppressed")
			}
		})
	}
}
