package correlate

import "time"

// Retention is how long the topics of pushes and sendids must keep their records:
// as long as an entry lives, which begins when the text is to be sent, at most ahead
// after its submit, and a day for what waits in an outage.
func Retention(deadline, ahead time.Duration) time.Duration {
	return ahead + lives*deadline + 24*time.Hour
}
