package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"smsbridge/cmd/smslab/lab"
)

// clients push at the same time: as many as the connector takes from one address.
const clients = 64

func pushClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConns: clients, MaxIdleConnsPerHost: clients, MaxConnsPerHost: clients}}
}

// pushes measures delivery reports from the provider's push to the topic, beside
// a bare server with the same producer.
func (b *bench) pushes(ctx context.Context) error {
	const goal = 0.8
	length := time.Duration(float64(8*time.Second) * b.scale)
	perSecond, cpu := map[contender][]float64{}, map[contender][]float64{}
	for range b.Rounds {
		for _, c := range []contender{lean, bridge} {
			s, err := b.pushed(ctx, c, length)
			if err != nil {
				return err
			}
			perSecond[c], cpu[c] = append(perSecond[c], s.perSecond), append(cpu[c], s.cpu)
		}
	}
	a, z := median(perSecond[lean]), median(perSecond[bridge])
	b.row("64 connections: push to 200 (lean: a bare server)", a, z, "1/s", ratioText(z/a), fmt.Sprintf("≥ %.2f", goal), z/a >= goal)
	a, z = median(cpu[lean]), median(cpu[bridge])
	b.row("64 connections: push to 200: CPU", a, z, "ms for 1,000", ratioText(z/a), "", true)
	return nil
}

// pushed has clients push as fast as they are answered.
func (b *bench) pushed(ctx context.Context, c contender, length time.Duration) (speed, error) {
	setup := b.setup(inFlight, 0)
	setup.Roles = []string{"push"} // the server's work alone, as beside
	stage, err := lab.Raise(ctx, setup)
	if err != nil {
		return speed{}, err
	}
	defer stage.Strike()
	process, address, err := b.startServer(ctx, stage, c)
	if err != nil {
		return speed{}, err
	}
	client := pushClient()
	defer client.CloseIdleConnections()
	var count, failed, serial atomic.Int64
	pushing, stop := context.WithCancel(ctx)
	var work sync.WaitGroup
	for range clients {
		work.Go(func() {
			for pushing.Err() == nil {
				switch pushOne(pushing, client, address, madeUp(serial.Add(1))) {
				case http.StatusOK:
					count.Add(1)
				default:
					failed.Add(1)
				}
			}
		})
	}
	defer work.Wait()
	defer stop()
	if err := lab.Pause(ctx, length/4); err != nil { // warm
		return speed{}, err
	}
	begin, before := time.Now(), count.Load()
	used, err := process.CPU()
	if err != nil {
		return speed{}, err
	}
	if err := lab.Pause(ctx, length); err != nil {
		return speed{}, err
	}
	done, took := float64(count.Load()-before), time.Since(begin)
	after, err := process.CPU()
	if err != nil {
		return speed{}, err
	}
	if bad := failed.Load(); done == 0 || float64(bad) > done/100 {
		return speed{}, fmt.Errorf("%s: %d pushes failed beside %.0f", process.Name, bad, done)
	}
	return speed{perSecond: done / took.Seconds(), cpu: milliseconds(after-used) / done * 1000}, nil
}

func (b *bench) startServer(ctx context.Context, stage *lab.Stage, c contender) (*lab.Process, string, error) {
	if c == bridge {
		connector := stage.Connectors[0]
		if err := connector.Start(); err != nil {
			return nil, "", err
		}
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		return connector.Process, "http://" + connector.Push + "/push/report", connector.Ready(ctx)
	}
	process, address, err := stage.AlsoServing(ctx, lab.Program{Name: "bare", Path: b.binaries.Lab, Env: os.Environ(), Dir: b.dir, Args: []string{
		"bare", "-brokers", stage.Brokers, "-topic", stage.Topics.Reports(),
	}})
	return process, "http://" + address, err
}

// report is what a push says.
type report struct{ sendID, number, state string }

// madeUp is a report of nobody's submit.
func madeUp(n int64) report {
	return report{"20260101000000000" + strconv.FormatInt(1_000_000_000+n, 10), fmt.Sprintf("1380000%04d", n%10_000), "DELIVRD"}
}

// pushOne makes one push and returns its status, 0 without an answer.
func pushOne(ctx context.Context, client *http.Client, address string, r report) int {
	form := lab.PushForm(true, url.Values{
		"sendid": {r.sendID}, "time": {"2026-01-01 00:00:00"}, "mobile": {r.number}, "state": {r.state},
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form))
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := client.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()        //nolint:errcheck // it was read
	io.Copy(io.Discard, resp.Body) //nolint:errcheck // the status is the answer
	return resp.StatusCode
}
