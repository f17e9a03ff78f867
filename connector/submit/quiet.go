package submit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"smsbridge/codec/sms"
)

// Quiet says when commands of some classes wait rather than ring somebody's phone.
// The zero value is never.
type Quiet struct {
	From, To time.Duration // since midnight, by the clocks of Zone; To below From is on the next day
	Zone     *time.Location
	Classes  []sms.Class
}

// ParseHours reads quiet hours such as 21:00-08:00 into From and To.
func ParseHours(text string) (from, to time.Duration, err error) {
	first, second, _ := strings.Cut(text, "-")
	begin, err1 := time.Parse("15:04", first)
	end, err2 := time.Parse("15:04", second)
	if err1 != nil || err2 != nil || len(text) != len("21:00-08:00") {
		return 0, 0, fmt.Errorf("%q is not like 21:00-08:00", text)
	}
	midnight := begin.Truncate(24 * time.Hour)
	if from, to = begin.Sub(midnight), end.Sub(midnight); from == to {
		return 0, 0, fmt.Errorf("%q begins when it ends", text)
	}
	return from, to, nil
}

// Until returns when the quiet hours that t falls into end for a class, or the
// zero time where t is not in any. They begin at From and end at To of the wall
// clock, so that they are an hour longer or shorter when clocks change within.
func (q *Quiet) Until(class sms.Class, t time.Time) time.Time {
	if q.From == q.To || q.Zone == nil || !slices.Contains(q.Classes, class) {
		return time.Time{}
	}
	// Those that began yesterday may last until today.
	for _, day := range []int{-1, 0} {
		begin, end := q.on(t, day)
		if !t.Before(begin) && t.Before(end) {
			return end
		}
	}
	return time.Time{}
}

// on returns the quiet hours that begin so many days after the day of t.
func (q *Quiet) on(t time.Time, day int) (begin, end time.Time) {
	year, month, today := t.In(q.Zone).Date()
	at := func(day int, clock time.Duration) time.Time {
		minutes := int(clock / time.Minute)
		return time.Date(year, month, day, minutes/60, minutes%60, 0, 0, q.Zone)
	}
	begin, end = at(today+day, q.From), at(today+day, q.To)
	if q.To < q.From {
		end = at(today+day+1, q.To)
	}
	return begin, end
}
