package journal

import (
	"errors"
	"time"

	"smsbridge/connector/kafkaio"
	"smsbridge/connector/submit"
)

func isRejoin(err error) bool { return errors.Is(err, ErrRejoin) }

// unanswered loses the answer of every commit, whether or not it is stored.
func unanswered(stored bool) func(func() error) error {
	return func(apply func() error) error {
		if stored {
			_ = apply()
		}
		return &kafkaio.CommitUnknown{Err: errors.New("no answer")}
	}
}

func attemptOf(number int) submit.Attempt {
	return submit.Attempt{Number: number, Expires: time.Now().Add(time.Hour)}
}
