package correlate

import "time"

// Retention is how long the topics of pushes and sendids must keep their records,
// for submits that are to be sent at once: as long as an entry lives, and a day for
// what waits in an outage. Where send_at may lie further ahead than that day, by so
// much more.
func Retention(deadline time.Duration) time.Duration { return lives*deadline + 24*time.Hour }
