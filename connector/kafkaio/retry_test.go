package kafkaio

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatWasTheTroubleIsToldAlsoWhenTheLastAttemptWasCutShort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		trouble, attempts := errors.New("no leader"), 0
		err := new(Client).persist(ctx, func() error {
			if attempts++; attempts == 1 {
				return trouble
			}
			<-ctx.Done()
			return ctx.Err()
		})
		if attempts != 2 || !errors.Is(err, trouble) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %d attempts: %v", attempts, err)
		}
	})
}
