package trial

// answered is the status that promises the provider that its push is durable.
const answered = 200

// reportFact is what a push says about one phone.
type reportFact struct{ sendID, number, state string }

// messageFact is what a phone said.
type messageFact struct{ number, text string }

// pushesAreDurable: I13.
func pushesAreDurable(v *view) []Violation {
	reports := map[reportFact]bool{}
	for _, r := range v.Reports {
		reports[reportFact{r.SendID, r.Number, r.State}] = true
	}
	messages := map[messageFact]bool{}
	for _, m := range v.Inbound {
		messages[messageFact{m.Number, m.Text}] = true
	}
	var broken []Violation
	for i := range v.ReportPush {
		p := &v.ReportPush[i]
		if p.Status == answered && !reports[reportFact{p.SendID, p.Number, p.State}] {
			broken = append(broken, Violation{Facts: []string{p.fact("a report"), "not on the topic"}})
		}
	}
	for i := range v.InboundPush {
		p := &v.InboundPush[i]
		if p.Status == answered && !messages[messageFact{p.Number, p.Text}] {
			broken = append(broken, Violation{Facts: []string{p.fact("a message"), "not on the topic"}})
		}
	}
	return broken
}

// nothingForged: I14.
func nothingForged(v *view) []Violation {
	pushed := map[reportFact]bool{}
	for _, p := range v.ReportPush {
		pushed[reportFact{p.SendID, p.Number, p.State}] = true
	}
	said := map[messageFact]bool{}
	for _, p := range v.InboundPush {
		said[messageFact{p.Number, p.Text}] = true
	}
	var broken []Violation
	for i := range v.Reports {
		r := &v.Reports[i]
		if r.State != "" && !pushed[reportFact{r.SendID, r.Number, r.State}] { // without a state it is a no_report, which nobody pushes
			broken = append(broken, Violation{Facts: []string{r.fact(), "never pushed by the provider"}})
		}
	}
	for _, m := range v.Inbound {
		if !said[messageFact{m.Number, m.Text}] {
			broken = append(broken, Violation{Facts: []string{"inbound message " + m.Row.String() + " was never pushed by the provider"}})
		}
	}
	return broken
}

// eventIDsMatchFacts: I15.
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
				broken = append(broken, Violation{Facts: []string{other.fact(), r.fact(), "the same event id for different facts"}})
			}
		} else if other, ok := byFact[fact]; ok {
			broken = append(broken, Violation{Facts: []string{other.fact(), r.fact(), "different event ids for the same fact"}})
		}
		byID[r.EventID], byFact[fact] = r, r
	}
	return broken
}

// reportsAreMatched: I16.
func reportsAreMatched(v *view) []Violation {
	if !v.Correlates {
		return nil
	}
	matched := map[string]bool{}
	for i := range v.Reports {
		if r := &v.Reports[i]; r.Correlation != "orphan" {
			matched[r.SendID+" "+r.Number+" "+r.State] = true
		}
	}
	known := map[string]bool{}
	for i := range v.Results {
		for _, p := range v.Results[i].Parts {
			known[p.SendID] = true
		}
	}
	var broken []Violation
	for i := range v.Reports {
		r := &v.Reports[i]
		if r.Correlation == "orphan" && known[r.SendID] && !matched[r.SendID+" "+r.Number+" "+r.State] {
			broken = append(broken, Violation{Facts: []string{r.fact(), "a result names its sendid"}})
		}
	}
	return broken
}
