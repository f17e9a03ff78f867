package submit

import "smsbridge/codec/sms"

// mostDoubts is how many attempts of a part may have been carried out, whoever
// made them and for whatever cause they were repeated.
const mostDoubts = 2

// resume takes up what earlier owners left. A range that does not fit the
// recipients names nobody whom it would be safe to submit to.
func (j *partRun) resume(p *Part, fits bool) {
	j.outcome = sms.Submission{
		Part: j.number, First: p.First, Last: p.Last,
		Recipients: len(j.mobiles), Attempts: p.Attempts,
	}
	j.begun, j.doubts = p.Attempts, p.Doubts
	switch {
	case p.Done != nil:
		j.outcome = *p.Done
		if p.Done.Status == sms.Unknown {
			j.doubts = max(j.doubts, 1)
		}
	case p.Doubts > 0 || !fits:
		j.outcome.Status, j.outcome.Reason = sms.Unknown, sms.Interrupted
		j.outcome.PossibleDuplicate = p.Doubts >= mostDoubts // all but the first were resent
	case j.plan.fault != nil:
		j.outcome.Status, j.outcome.Reason = sms.Invalid, j.plan.fault.reason
	}
	if !fits {
		j.doubts = mostDoubts
	}
}

// decided reports whether nothing remains to be done: there is an outcome, and
// it is not one that may still be bettered by submitting once more.
func (j *partRun) decided() bool {
	if j.outcome.Status == "" {
		return false
	}
	return j.outcome.Status != sms.Unknown || j.doubts >= mostDoubts ||
		j.plan.policy != sms.ResendUnknown || j.plan.fault != nil
}

// end gives the part an outcome without a further attempt. One that may have
// been carried out stays unknown.
func (j *partRun) end(status sms.Status, reason sms.Reason) {
	if j.doubts > 0 {
		j.doubts = mostDoubts
		return
	}
	j.outcome.Status, j.outcome.Reason = status, reason
}

// betters reports whether a second attempt's verdict replaces the doubt that
// the first one left. A refusal does not: it says nothing of the first.
func betters(v verdict) bool {
	return v.fate == settled && (v.status == sms.Accepted || v.status == sms.PartiallyAccepted)
}
