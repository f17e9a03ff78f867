package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"smsbridge/cmd/smslab/lab"
)

// What the correlator is to reach.
const (
	reportsGoal    = 10_000 // a second of one core
	reportP50Goal  = 15 * time.Millisecond
	reportsASecond = 1000
)

// reports measures the correlator: a backlog of reports whose commands it knows,
// and the way of a report from the push to its consumer.
func (b *bench) reports(ctx context.Context) error {
	n := int(60_000 * max(b.scale, 0.2))
	setup := b.setup(inFlight, 0)
	setup.Connectors, setup.Roles = 2, []string{"intake,push", "correlate"}
	stage, counter, strike, err := waiting(ctx, setup, n)
	if err != nil {
		return err
	}
	defer strike()
	front, correlator := stage.Connectors[0], stage.Connectors[1]
	if err := front.Start(); err != nil {
		return err
	}
	if _, err := reach(ctx, counter, stage.Topics.Results(), n, front.Process); err != nil {
		return err
	}
	submits, _, err := stage.Provider.Ledger(ctx)
	if err != nil {
		return err
	}
	all := make([]report, 0, len(submits))
	for _, s := range submits {
		all = append(all, report{s.SendID, s.Number, "DELIVRD"})
	}
	early, later := all[:len(all)*4/5], all[len(all)*4/5:]
	if err := pushAll(ctx, front, early); err != nil {
		return err
	}
	if err := correlator.Start(); err != nil {
		return err
	}
	s, err := between(ctx, counter, stage.Topics.Reports(), len(early)/5, len(early)*9/10, correlator.Process)
	if err != nil {
		return err
	}
	aCore := 1e6 / s.cpu
	b.head("\ncorrelator", "", "smsbridge")
	b.row(fmt.Sprintf("reports, %d sendids known", n), 0, s.perSecond, "1/s", "", "", true)
	b.row("reports for a core", 0, aCore, "1/s", "", fmt.Sprintf("≥ %d", reportsGoal), aCore >= reportsGoal)
	if _, err := reach(ctx, counter, stage.Topics.Reports(), len(early), correlator.Process); err != nil {
		return err
	}
	return b.reportLatency(ctx, stage, later, n+len(early))
}

// pushAll pushes as fast as it is answered.
func pushAll(ctx context.Context, to *lab.Connector, reports []report) error {
	client := pushClient()
	defer client.CloseIdleConnections()
	address := "http://" + to.Push + "/push/report"
	next := make(chan report)
	failed := make(chan int, len(reports)) // whoever fails does not wait
	var work sync.WaitGroup
	for range clients {
		work.Go(func() {
			for r := range next {
				if status := pushOne(ctx, client, address, r); status != http.StatusOK {
					failed <- status
				}
			}
		})
	}
	for _, r := range reports {
		next <- r
	}
	close(next)
	work.Wait()
	if n := len(failed); n > 0 {
		return fmt.Errorf("%d of %d pushes were not answered 200, the first by %d", n, len(reports), <-failed)
	}
	return nil
}

// reportLatency pushes at an even pace, once its consumer has read the outputs that
// are there already: one that is behind would measure itself.
func (b *bench) reportLatency(ctx context.Context, stage *lab.Stage, reports []report, outputs int) error {
	var mu sync.Mutex
	sent := map[string]time.Time{}
	var took []time.Duration
	caughtUp := make(chan struct{})
	recorder, err := lab.Record(ctx, stage, func(o lab.Output) {
		now := time.Now()
		mu.Lock()
		defer mu.Unlock()
		if outputs--; outputs == 0 {
			close(caughtUp)
		}
		if at, ok := sent[o.SendID]; ok && o.Topic == "reports" {
			took = append(took, now.Sub(at))
			delete(sent, o.SendID)
		}
	})
	if err != nil {
		return err
	}
	defer recorder.Close()
	select {
	case <-caughtUp:
	case <-time.After(time.Minute):
		return errors.New("the outputs of the backlog were not read within a minute")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	client := pushClient()
	defer client.CloseIdleConnections()
	address := "http://" + stage.Connectors[0].Push + "/push/report"
	var refused atomic.Int64
	var work sync.WaitGroup
	defer work.Wait()
	ticker := time.NewTicker(time.Second / reportsASecond)
	defer ticker.Stop()
	for _, r := range reports {
		work.Go(func() {
			mu.Lock()
			sent[r.sendID] = time.Now()
			mu.Unlock()
			if status := pushOne(ctx, client, address, r); status != http.StatusOK {
				refused.Add(1)
			}
		})
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	work.Wait()
	if n := refused.Load(); n > 0 {
		return fmt.Errorf("%d of %d pushes were not answered 200", n, len(reports))
	}
	if err := emptied(ctx, &mu, sent, stage.Connectors[1].Process); err != nil {
		return err
	}
	steady := slices.Clone(took[len(took)/5:])
	slices.Sort(steady)
	p50, p99 := milliseconds(percentile(steady, 0.5)), milliseconds(percentile(steady, 0.99))
	b.row("1,000/s: push to consumer, p50", 0, p50, "ms", "", fmt.Sprintf("≤ %d ms", reportP50Goal.Milliseconds()), p50 <= milliseconds(reportP50Goal))
	b.row("1,000/s: push to consumer, p99", 0, p99, "ms", "", "", true)
	return nil
}
