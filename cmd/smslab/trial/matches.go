package trial

import "fmt"

// reportsAreMatched: I16. Of every sendid that a result names, each report that
// was taken is on the topic with what its command's result has, and one without a
// report is told as such at most once.
func reportsAreMatched(v *view) []Violation {
	known := map[string]*Result{}
	for i := range v.Results {
		for _, p := range v.Results[i].Parts {
			if p.SendID != "" {
				known[p.SendID] = &v.Results[i]
			}
		}
	}
	var broken []Violation
	matched := map[reportFact]bool{}
	orphans := map[reportFact]*Report{}
	for i := range v.Reports {
		r := &v.Reports[i]
		result := known[r.SendID]
		switch {
		case r.Correlation == "orphan":
			orphans[r.fact()] = r
			continue
		case result == nil:
			broken = append(broken, Violation{Facts: []string{r.tell(), "no result names its sendid"}})
		default:
			if why := r.mismatch(result); why != "" {
				broken = append(broken, Violation{Facts: []string{result.fact(), r.tell(), why}})
			}
		}
		matched[r.fact()] = true
	}
	for fact, r := range orphans {
		if result := known[fact.sendID]; result != nil && !matched[fact] {
			broken = append(broken, Violation{Facts: []string{result.fact(), r.tell(), "an orphan, and the result names its sendid"}})
		}
	}
	return append(broken, v.toldMissing()...)
}

// mismatch says in what a report differs from its command's result.
func (r *Report) mismatch(result *Result) string {
	switch {
	case r.ID != result.ID || r.Command != result.Command:
		return "matched to another command"
	case r.Key != result.Key || r.Row.Partition != result.Row.Partition:
		return "with another key, or in another partition, than the result"
	case r.Metadata != result.Metadata:
		return "with other metadata than the result"
	}
	return ""
}

// toldMissing finds submissions whose missing reports were told twice, or of
// recipients whose final report had been told before.
func (v *view) toldMissing() []Violation {
	recipients := map[string]int{}
	for i := range v.Submissions {
		if s := &v.Submissions[i]; s.accepted() {
			recipients[s.SendID] = s.Count
		}
	}
	final := map[string]map[string]bool{} // numbers by sendid
	told := map[string]*Report{}
	var broken []Violation
	for _, r := range v.reportsInOrder() {
		if r.Final {
			if final[r.SendID] == nil {
				final[r.SendID] = map[string]bool{}
			}
			final[r.SendID][r.Number] = true
		}
		if r.Status != "no_report" {
			continue
		}
		before := told[r.SendID]
		switch most := recipients[r.SendID] - len(final[r.SendID]); {
		case before == nil && r.Missing > most:
			why := fmt.Sprintf("%d are said to miss, of %d recipients %d had a final report", r.Missing, recipients[r.SendID], len(final[r.SendID]))
			broken = append(broken, Violation{Facts: []string{r.tell(), why}})
		case before != nil && before.EventID != r.EventID:
			broken = append(broken, Violation{Facts: []string{before.tell(), r.tell(), "told twice that reports are missing"}})
		}
		told[r.SendID] = r
	}
	return broken
}
