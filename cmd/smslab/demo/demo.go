package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"smsbridge/cmd/smslab/lab"
	"smsbridge/cmd/smslab/simulator"
	"smsbridge/cmd/smslab/trial"
)

// ErrSums is what Run ends with when not everything that went in was found again.
var ErrSums = errors.New("it does not add up")

// show is one run of the demo.
type show struct {
	*screen
	stage    *lab.Stage
	recorder *lab.Recorder
	expected expectation
	latest   trial.Command // that has a key
}

// end is what becomes of a command.
type end struct{ id, status string }

// expectation is what was put in, and hence what must come out.
type expectation struct {
	statuses    map[string]int
	byID        map[end]int // of the commands that have an id
	deadLetters int
	refused     int // pushes with wrong credentials
}

// Run shows the demo for so long and adds up. It takes some seconds more to start
// and to end.
func Run(ctx context.Context, out io.Writer, length time.Duration) error {
	dir, err := os.MkdirTemp("", "smslab-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	s := &show{screen: newScreen(out), expected: expectation{statuses: map[string]int{}, byID: map[end]int{}}}
	if err := s.raise(ctx, dir); err != nil {
		return err
	}
	defer s.stage.Strike()
	defer s.recorder.Close()
	if err := s.play(ctx, length); err != nil {
		return err
	}
	return s.addUp(ctx)
}

func (s *show) raise(ctx context.Context, dir string) error {
	binaries, err := lab.FindBinaries(ctx, dir)
	if err != nil {
		return err
	}
	s.stage, err = lab.Raise(ctx, lab.Setup{
		Dir: dir, Binaries: binaries, Partitions: 12, Connectors: 1, Session: 6 * time.Second, InFlight: 32,
		Settings: map[string]string{"PROVIDER_MAX_RECIPIENTS": "3", "RETRY_INITIAL": "100ms", "BALANCE_INTERVAL": "5s"},
		Provider: []string{
			"-balance", "10000", "-sensitive", sensitiveWord, "-blacklist-suffix", blacklistSuffix,
			"-latency-min", "5ms", "-latency-max", "40ms", "-throttle", "0.05",
			"-report-delay-min", "200ms", "-report-delay-max", "1500ms", "-report-group", "3",
			"-report-mix", "DELIVRD=92,UNDELIV=4,EXPIRED=2,ERR:104=1,MK:0011=1", "-report-repeat", "0.05",
		},
	})
	if err != nil {
		return err
	}
	connector := s.stage.Connectors[0]
	s.printf("%s\n", s.paint(strong, "smsbridge: from Kafka to an SMS provider and back"))
	s.printf("  an embedded Kafka, a simulated provider and the connector, each a process of its own\n")
	s.printf("  see also http://%s/ while it runs; numbers are masked, texts not shown\n\n", connector.Admin)
	s.recorder, err = lab.Record(ctx, s.stage, s.output)
	if err == nil {
		err = connector.Start()
	}
	if err == nil {
		ready, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		err = connector.Ready(ready)
	}
	if err != nil {
		if s.recorder != nil {
			s.recorder.Close()
		}
		s.stage.Strike()
	}
	return err
}

// play puts commands in, with some events beside, until the time is over.
func (s *show) play(ctx context.Context, length time.Duration) error {
	const (
		ending = 3 * time.Second // for the last reports
		pace   = 250 * time.Millisecond
	)
	playing := max(length-ending, ending)
	end := time.Now().Add(playing)
	beside := s.beside(playing)
	start := time.Now()
	list := recipes()
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for i := 0; time.Now().Before(end) || i < len(list); i++ {
		if err := s.send(ctx, i, list[i%len(list)]); err != nil {
			return err
		}
		for len(beside) > 0 && time.Since(start) >= beside[0].after {
			if err := beside[0].do(ctx); err != nil {
				return err
			}
			beside = beside[1:]
		}
		select {
		case <-ticker.C:
		case <-s.stage.Connectors[0].Process.Done():
			return s.stage.Connectors[0].Process.Unasked()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return s.recorder.Flush(ctx)
}

func (s *show) send(ctx context.Context, i int, r recipe) error {
	c := command{ID: fmt.Sprintf("%s-%d", r.name, i), To: phone()}
	key := fmt.Sprintf("customer-%d", i%7)
	if r.again {
		c.ID, key = s.latest.ID, s.latest.Key
	}
	r.make(&c)
	c.Text = lab.Text(c.Text, c.ID)
	value, err := r.value(c)
	if err != nil {
		return err
	}
	entry := trial.Command{ID: c.ID}
	switch to := c.To.(type) {
	case string:
		entry.Numbers = []string{to}
	case []string:
		entry.Numbers = to
	}
	keyNote := "no key"
	if r.key {
		entry.Key = key
		s.latest = entry
		keyNote = "key " + entry.Key
	}
	if r.write != nil {
		entry.ID = "" // whoever cannot read the value cannot know it
	} else {
		s.expected.byID[end{c.ID, r.want}]++
	}
	s.expected.statuses[r.want]++
	if r.dead {
		s.expected.deadLetters++
	}
	s.fact("command", c.ID, r.says, plain, keyNote)
	s.recorder.Send(ctx, entry, value)
	return nil
}

// happening is something else than a command.
type happening struct {
	after time.Duration
	do    func(context.Context) error
}

func (s *show) beside(playing time.Duration) []happening {
	connector := s.stage.Connectors[0]
	say := func(messages ...simulator.Message) func(context.Context) error {
		return func(ctx context.Context) error { return s.stage.Provider.Say(ctx, messages...) }
	}
	at := func(percent int) time.Duration { return playing * time.Duration(percent) / 100 }
	return []happening{
		{at(10), say(simulator.Message{Mobile: "13900000001", Content: "谢谢，收到了", ExtNo: "00817"})},
		{at(20), say(
			simulator.Message{Mobile: "13900000002", Content: "TD", ExtNo: "00817"},
			simulator.Message{Mobile: "13900000003", Content: "Is it 50% #@# or & more?", ExtNo: "00818"},
		)},
		{at(30), func(ctx context.Context) error {
			s.fact("push", "", "a forged report", soSo, "its password is wrong: it must be answered 401 and go nowhere")
			return s.forge(ctx, connector, "report", false, http.StatusUnauthorized, url.Values{
				"sendid": {"20990101000000000000000000"}, "time": {"2099-01-01 00:00:00"}, "mobile": {phone()}, "state": {"DELIVRD"},
			})
		}},
		{at(35), func(ctx context.Context) error {
			s.fact("push", "", "unreadable messages", soSo, "answered 200 and kept raw among the dead letters")
			s.expected.deadLetters++
			return s.forge(ctx, connector, "inbound", true, http.StatusOK, url.Values{"args": {"what is this"}})
		}},
		{at(45), func(ctx context.Context) error {
			const hold = 3 * time.Second
			s.fact("provider", "", "account suspended", bad, fmt.Sprintf("for %v: no command is burnt, the line is held and opens by itself", hold))
			now := time.Now()
			s.recorder.Note(trial.Event{Kind: trial.AccountHold, At: now, Until: now.Add(hold)})
			return s.stage.Provider.Faults(ctx, map[string]any{"code": "12", "code_text": "账户已停用", "code_for": hold.String()})
		}},
		{at(85), say(simulator.Message{Mobile: "13900000004", Content: "HELP", ExtNo: "008"})},
	}
}

func (s *show) forge(ctx context.Context, c *lab.Connector, kind string, genuine bool, want int, fields url.Values) error {
	status, err := c.Forge(ctx, kind, lab.PushForm(genuine, fields))
	if err == nil && status != want {
		err = fmt.Errorf("a push was answered %d, not %d", status, want)
	}
	if !genuine {
		s.expected.refused++
	}
	return err
}
