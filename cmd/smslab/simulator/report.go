package simulator

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"smsbridge/codec/wire"
)

// Reports says what becomes of accepted texts.
type Reports struct {
	Share    float64  // of the numbers that are ever reported on, 0 to 1
	Mix      Mix      // of their states; nil: all DELIVRD
	DelayMin Duration // from the answer to the report
	DelayMax Duration
	Group    int // numbers in one push at most, when they have the same state
}

// Mix is a choice among states by weight.
type Mix []struct {
	State  string
	Weight int
}

// UnmarshalText reads STATE=WEIGHT,STATE=WEIGHT.
func (m *Mix) UnmarshalText(text []byte) error {
	*m = nil
	for part := range strings.SplitSeq(string(text), ",") {
		state, weight, _ := strings.Cut(part, "=")
		n, err := strconv.Atoi(weight)
		if err != nil {
			return err
		}
		*m = append(*m, struct {
			State  string
			Weight int
		}{state, n})
	}
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (m Mix) MarshalText() ([]byte, error) {
	parts := make([]string, len(m))
	for i, s := range m {
		parts[i] = s.State + "=" + strconv.Itoa(s.Weight)
	}
	return []byte(strings.Join(parts, ",")), nil
}

func (m Mix) draw() string {
	sum := 0
	for _, s := range m {
		sum += s.Weight
	}
	if sum == 0 {
		return "DELIVRD"
	}
	r := rand.IntN(sum)
	for _, s := range m {
		if r -= s.Weight; r < 0 {
			return s.State
		}
	}
	return "DELIVRD"
}

// makeReports makes the pushes about one submit, due from when it is to be sent. A
// blacklisted number is told as such here only, as the submit's answer only counts
// them.
func (p *Provider) makeReports(sendID string, n numbers, wait time.Duration, faults *activeFaults) []*push {
	if p.cfg.Push == "" || p.cfg.Reports.Share <= 0 {
		return nil
	}
	byState := map[string][]string{}
	if len(n.black) > 0 {
		byState["DTBLACK"] = n.black
	}
	for _, number := range n.good {
		if chance(p.cfg.Reports.Share) {
			state := p.cfg.Reports.Mix.draw()
			byState[state] = append(byState[state], number)
		}
	}
	group := max(p.cfg.Reports.Group, 1)
	var pushes []*push
	for state, numbers := range byState {
		for len(numbers) > 0 {
			some := numbers[:min(group, len(numbers))]
			numbers = numbers[len(some):]
			report := p.newReport(sendID, state, some)
			if chance(faults.Repeat) {
				report.again = between(1, p.cfg.Reports.DelayMax)
			}
			report.delay, report.storm = report.delay+wait, time.Duration(faults.Storm)
			pushes = append(pushes, report)
			if !wire.JudgeState(state).Final { // not the last word
				final := p.newReport(sendID, "DELIVRD", some)
				final.delay, final.storm = final.delay+report.delay, report.storm
				pushes = append(pushes, final)
			}
		}
	}
	return pushes
}

func (p *Provider) newReport(sendID, state string, numbers []string) *push {
	return &push{
		kind: "report", sendID: sendID, state: state, mobile: strings.Join(numbers, ","),
		delay: between(p.cfg.Reports.DelayMin, p.cfg.Reports.DelayMax),
	}
}

func chance(p float64) bool { return p > 0 && rand.Float64() < p }

func pick(n int) int { return rand.IntN(n) }
