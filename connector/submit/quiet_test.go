package submit

import (
	"testing"
	"testing/synctest"
	"time"

	"smsbridge/codec/sms"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestQuietHoursEndByTheClocksOfTheirZone(t *testing.T) {
	t.Parallel()
	shanghai, berlin := zone(t, "Asia/Shanghai"), zone(t, "Europe/Berlin")
	const layout = "2006-01-02 15:04:05"
	for name, tc := range map[string]struct {
		hours string
		zone  *time.Location
		at    string
		until string // empty: not quiet
	}{
		"before":                               {"21:00-08:00", shanghai, "2026-03-01 20:59:59", ""},
		"at their beginning":                   {"21:00-08:00", shanghai, "2026-03-01 21:00:00", "2026-03-02 08:00:00"},
		"before midnight":                      {"21:00-08:00", shanghai, "2026-03-01 23:59:59", "2026-03-02 08:00:00"},
		"at midnight":                          {"21:00-08:00", shanghai, "2026-03-02 00:00:00", "2026-03-02 08:00:00"},
		"before their end":                     {"21:00-08:00", shanghai, "2026-03-02 07:59:59", "2026-03-02 08:00:00"},
		"at their end":                         {"21:00-08:00", shanghai, "2026-03-02 08:00:00", ""},
		"over the end of a month and a year":   {"21:00-08:00", shanghai, "2026-12-31 22:00:00", "2027-01-01 08:00:00"},
		"within a day":                         {"12:00-14:30", shanghai, "2026-03-01 12:00:00", "2026-03-01 14:30:00"},
		"within a day, over":                   {"12:00-14:30", shanghai, "2026-03-01 14:30:00", ""},
		"within a day, at midnight":            {"12:00-14:30", shanghai, "2026-03-01 00:00:00", ""},
		"until midnight":                       {"21:00-00:00", shanghai, "2026-03-01 23:59:00", "2026-03-02 00:00:00"},
		"from midnight":                        {"00:00-08:00", shanghai, "2026-03-01 00:00:00", "2026-03-01 08:00:00"},
		"a night in which clocks go forward":   {"21:00-08:00", berlin, "2026-03-28 21:00:00", "2026-03-29 08:00:00"},
		"a night in which clocks go back":      {"21:00-08:00", berlin, "2026-10-25 03:30:00", "2026-10-25 08:00:00"},
		"an hour that clocks leave out, after": {"02:00-02:30", berlin, "2026-03-29 04:00:00", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to, err := ParseHours(tc.hours)
			if err != nil {
				t.Fatal(err)
			}
			q := Quiet{From: from, To: to, Zone: tc.zone, Classes: []sms.Class{sms.Marketing}}
			at, err := time.ParseInLocation(layout, tc.at, tc.zone)
			if err != nil {
				t.Fatal(err)
			}
			until := q.Until(sms.Marketing, at.UTC()) // of whatever zone the time is told in
			switch {
			case tc.until == "" && !until.IsZero():
				t.Errorf("quiet until %v", until)
			case tc.until != "" && until.In(tc.zone).Format(layout) != tc.until:
				t.Errorf("quiet until %v, want %s", until, tc.until)
			}
			if got := q.Until(sms.OTP, at); !got.IsZero() {
				t.Errorf("another class is quiet until %v", got)
			}
		})
	}
}

func TestANightHasAsManyHoursAsTheClocksSay(t *testing.T) {
	t.Parallel()
	berlin := zone(t, "Europe/Berlin")
	q := Quiet{From: 21 * time.Hour, To: 8 * time.Hour, Zone: berlin, Classes: []sms.Class{sms.Marketing}}
	for day, want := range map[time.Time]time.Duration{
		time.Date(2026, 3, 28, 21, 0, 0, 0, berlin):  10 * time.Hour,
		time.Date(2026, 6, 1, 21, 0, 0, 0, berlin):   11 * time.Hour,
		time.Date(2026, 10, 24, 21, 0, 0, 0, berlin): 12 * time.Hour,
	} {
		if got := q.Until(sms.Marketing, day).Sub(day); got != want {
			t.Errorf("%v: %v, want %v", day, got, want)
		}
	}
}

func TestQuietHoursAreWrittenInOneWay(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "21-8", "21:00", "21:00-8:00", "24:00-08:00", "21:60-08:00", "21:00-08:00 ", "-1:00-08:00", "08:00-08:00", "21:00–08:00"} {
		if _, _, err := ParseHours(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestWhatComesInQuietHoursWaitsForTheirEndOrItsOwn(t *testing.T) {
	for name, tc := range map[string]struct {
		class    sms.Class
		validity time.Duration
		want     time.Duration // until the submit; -1: never
	}{
		"another class":            {sms.Notice, 24 * time.Hour, 0},
		"valid longer":             {sms.Marketing, 24 * time.Hour, 8 * time.Hour},
		"its validity ends before": {sms.Marketing, time.Hour, -1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // begins at midnight UTC
				l := newLab(t, accepts, healthy, func(c *Config) {
					c.Validity.Marketing = tc.validity
					c.Quiet = Quiet{From: 21 * time.Hour, To: 8 * time.Hour, Zone: time.UTC, Classes: []sms.Class{sms.Marketing}}
				})
				cmd := command(1)
				cmd.Class = tc.class
				r := l.must(t, cmd)
				if tc.want < 0 {
					if r.Status != sms.Expired || r.Reason != sms.QuietHours || l.posts() != 0 {
						t.Errorf("%s, %s, %d requests", r.Status, r.Reason, l.posts())
					}
					return
				}
				if r.Status != sms.Accepted || l.submittedAt()[0] != tc.want {
					t.Errorf("%s, %s after %v", r.Status, r.Reason, l.submittedAt())
				}
			})
		})
	}
}
