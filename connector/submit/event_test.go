package submit

import "testing"

func TestWhoWaitsForAnEventThatHasHappenedIsCalledAtOnce(t *testing.T) {
	t.Parallel()
	e := NewEvent()
	e.Happen()
	called := 0
	e.Notify(func() { called++ })()
	if called != 1 {
		t.Errorf("called %d times", called)
	}
	select {
	case <-e.Done():
	default:
		t.Error("its channel is open")
	}
}

func TestAnEventCallsEveryoneOnceButThoseWhoHaveGone(t *testing.T) {
	t.Parallel()
	e := NewEvent()
	var called [3]int
	for i := range called {
		cancel := e.Notify(func() { called[i]++ })
		if i == 1 {
			cancel()
		}
	}
	done := e.Done()
	e.Happen()
	e.Happen()
	<-done
	if called != [3]int{1, 0, 1} {
		t.Errorf("called %v", called)
	}
}
