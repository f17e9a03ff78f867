package submit

import "sync"

// Event happens once. Whoever waits for it is called when it does, or at once
// where it already has; nobody needs a goroutine for it.
type Event struct {
	mu       sync.Mutex
	happened bool
	next     uint64
	waiting  map[uint64]func()
	done     chan struct{} // made when somebody asks for it
}

// NewEvent returns one that did not happen yet.
func NewEvent() *Event { return &Event{} }

// Happen makes the event happen, the first time. Who waits is called before it returns, from this
// goroutine, and must be quick.
func (e *Event) Happen() {
	e.mu.Lock()
	waiting := e.waiting
	if !e.happened && e.done != nil {
		close(e.done)
	}
	e.happened, e.waiting = true, nil
	e.mu.Unlock()
	for _, wake := range waiting {
		wake()
	}
}

// Notify has wake called once when the event happens. Cancel takes that back, but
// for a call that is under way.
func (e *Event) Notify(wake func()) (cancel func()) {
	e.mu.Lock()
	if e.happened {
		e.mu.Unlock()
		wake()
		return func() {}
	}
	id := e.next
	e.next++
	if e.waiting == nil {
		e.waiting = make(map[uint64]func())
	}
	e.waiting[id] = wake
	e.mu.Unlock()
	return func() {
		e.mu.Lock()
		delete(e.waiting, id)
		e.mu.Unlock()
	}
}

// Done is closed when the event happens, for those who wait in a select.
func (e *Event) Done() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.done == nil {
		e.done = make(chan struct{})
		if e.happened {
			close(e.done)
		}
	}
	return e.done
}
