package submit

import (
	"context"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
	"smsbridge/connector/provider"
)

// verdict is what an attempt means for its part and for the line.
type verdict struct {
	fate   fate
	status sms.Status // of the part, when settled or in doubt
	reason sms.Reason
	after  time.Duration // the provider's wish before the next attempt

	signal signal
	cause  cause // when signal is refused
	alert  bool  // a person should look
	err    error // what happened, where there was no answer
}

// fate is what an attempt means for its part.
type fate int

const (
	unposted  fate = iota // the request was not made; it may be at once
	settled               // the provider has judged
	inDoubt               // it may have been carried out
	unsent                // it was not carried out; again after a pause
	lineFault             // it was not carried out, nor would another be before the line opens
)

// String names the fate as it stands in metrics.
func (f fate) String() string {
	return [...]string{"unposted", "settled", "in_doubt", "unsent", "line_fault"}[f]
}

// judgeFailure reads a call that brought no answer.
func judgeFailure(f *provider.Failure) verdict {
	v := verdict{status: sms.Failed, reason: f.Reason, after: f.After, err: f}
	switch f.Class {
	case provider.NotSent:
		v.fate, v.signal = unsent, unsentTo
	case provider.Throttled:
		v.fate, v.signal = unsent, busy
	case provider.LineDown:
		v.fate, v.signal, v.cause = lineFault, refused, address
	default:
		// A class that we do not know must not pass for one that may be repeated.
		v.fate, v.signal, v.status = inDoubt, unansweredBy, sms.Unknown
	}
	return v
}

// judgeAnswer reads an answer. For the one code whose words do not say what it
// means it asks the balance.
func (s *Submitter) judgeAnswer(ctx context.Context, a wire.Answer, recipients int) verdict {
	judged := a.Judge(recipients)
	v := verdict{fate: settled, status: judged.Status, reason: judged.Reason, signal: answered, alert: judged.Alert}
	switch judged.Scope {
	case wire.AboutMessage:
	case wire.AboutAccount:
		return accountVerdict(judged.Reason)
	case wire.AskBalance:
		return s.judgeByBalance(ctx, v)
	default: // AboutSystem, and what we do not know
		v.fate, v.signal, v.status = inDoubt, unansweredBy, sms.Unknown
	}
	return v
}

// judgeByBalance tells a refused text from an empty account. If the balance
// cannot be asked the part is submitted again later: the answer was a refusal
// either way, so nothing was sent.
func (s *Submitter) judgeByBalance(ctx context.Context, rejected verdict) verdict {
	balance, failure := s.config.Line.asking.after(ctx, time.Now())
	if failure != nil {
		return verdict{fate: unsent, status: sms.Failed, reason: sms.UnknownProviderCode, signal: answered}
	}
	if reason, ok := wire.AccountReason(balance.Code); ok {
		return accountVerdict(reason)
	}
	if amount, known := amountOf(balance); known && amount <= 0 {
		return accountVerdict(sms.InsufficientBalance)
	}
	return rejected
}

// accountVerdict is a refusal of the account. The provider judged no text, so
// nothing was sent.
func accountVerdict(reason sms.Reason) verdict {
	v := verdict{fate: lineFault, status: sms.Failed, reason: reason, signal: refused, cause: account}
	if reason == sms.InsufficientBalance {
		v.cause = credit
	}
	return v
}
