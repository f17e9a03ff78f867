package trial

// answered is the status that promises the provider that its push is durable.
const answered = 200

// reportFact is what a push says about one phone.
type reportFact struct{ sendID, number, state string }

// messageFact is what a phone said.
type messageFact struct{ number, text string }

// facts are what pushes, or rows of the topics, say: how often it is said is
// another matter.
type facts struct {
	reports  map[reportFact]bool
	messages map[messageFact]bool
}

func (p *Push) report() reportFact   { return reportFact{p.SendID, p.Number, p.State} }
func (p *Push) message() messageFact { return messageFact{p.Number, p.Text} }

// pushed is what the provider pushed and was answered so; 0: however it was.
func (h *History) pushed(status int) facts {
	f := facts{map[reportFact]bool{}, map[messageFact]bool{}}
	for i := range h.ReportPush {
		if p := &h.ReportPush[i]; status == 0 || p.Status == status {
			f.reports[p.report()] = true
		}
	}
	for i := range h.InboundPush {
		if p := &h.InboundPush[i]; status == 0 || p.Status == status {
			f.messages[p.message()] = true
		}
	}
	return f
}

// published is what stands on the topics.
func (h *History) published() facts {
	f := facts{map[reportFact]bool{}, map[messageFact]bool{}}
	for i := range h.Reports {
		if r := &h.Reports[i]; r.State != "" { // else it is a no_report, which nobody pushes
			f.reports[r.fact()] = true
		}
	}
	for i := range h.Inbound {
		m := &h.Inbound[i]
		f.messages[messageFact{m.Number, m.Text}] = true
	}
	return f
}

func (r *Report) fact() reportFact { return reportFact{r.SendID, r.Number, r.State} }

// Undelivered are the pushes that were answered 200 and of which nothing is on a
// topic: none, as soon as everything has come to its end.
func (h *History) Undelivered() (reports, messages []*Push) {
	published := h.published()
	for i := range h.ReportPush {
		if p := &h.ReportPush[i]; p.Status == answered && !published.reports[p.report()] {
			reports = append(reports, p)
		}
	}
	for i := range h.InboundPush {
		if p := &h.InboundPush[i]; p.Status == answered && !published.messages[p.message()] {
			messages = append(messages, p)
		}
	}
	return reports, messages
}

// pushesAreDurable: I13.
func pushesAreDurable(v *view) []Violation {
	var broken []Violation
	reports, messages := v.Undelivered()
	for _, p := range reports {
		broken = append(broken, Violation{Facts: []string{p.tell("a report"), "not on the topic"}})
	}
	for _, p := range messages {
		broken = append(broken, Violation{Facts: []string{p.tell("a message"), "not on the topic"}})
	}
	return broken
}

// nothingForged: I14.
func nothingForged(v *view) []Violation {
	pushed := v.pushed(0)
	var broken []Violation
	for i := range v.Reports {
		if r := &v.Reports[i]; r.State != "" && !pushed.reports[r.fact()] {
			broken = append(broken, Violation{Facts: []string{r.tell(), "never pushed by the provider"}})
		}
	}
	for _, m := range v.Inbound {
		if !pushed.messages[messageFact{m.Number, m.Text}] {
			broken = append(broken, Violation{Facts: []string{"inbound message " + m.Row.String() + " was never pushed by the provider"}})
		}
	}
	return broken
}

// eventIDsMatchFacts: I15. A row without its place and its event id is what it
// says, received_at aside.
func eventIDsMatchFacts(v *view) []Violation {
	byID := map[string]*Report{}
	byFact := map[Report]*Report{}
	var broken []Violation
	for i := range v.Reports {
		r := &v.Reports[i]
		fact := *r
		fact.Row, fact.EventID = Position{}, ""
		if other, ok := byID[r.EventID]; ok {
			of := *other
			if of.Row, of.EventID = (Position{}), ""; of != fact {
				broken = append(broken, Violation{Facts: []string{other.tell(), r.tell(), "the same event id for different facts"}})
			}
		} else if other, ok := byFact[fact]; ok {
			broken = append(broken, Violation{Facts: []string{other.tell(), r.tell(), "different event ids for the same fact"}})
		}
		byID[r.EventID], byFact[fact] = r, r
	}
	return broken
}
