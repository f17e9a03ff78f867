package wire

import (
	"strings"

	"smsbridge/codec/sms"
)

// Scope says whom a verdict is about, and so what may be done next.
type Scope string

// The scopes of a verdict.
const (
	// AboutMessage: Status is the outcome of this submit, for good.
	AboutMessage Scope = "message"
	// AboutAccount: nothing was sent and nothing will be until somebody acts.
	// Hold the line for Reason; the command waits.
	AboutAccount Scope = "account"
	// AboutSystem: the provider failed, and may have carried the submit out.
	AboutSystem Scope = "system"
	// AskBalance: the code means either a refused text or an empty account, and
	// its words do not say which. A balance of zero or less makes it AboutAccount
	// with InsufficientBalance; else it is AboutMessage with the Status and
	// Reason given here.
	AskBalance Scope = "ask_balance"
)

// Verdict is what an answer means.
type Verdict struct {
	Scope  Scope
	Status sms.Status // empty when AboutAccount
	Reason sms.Reason // empty when accepted
	Alert  bool       // a person should look: our request or our table is wrong
}

// Judge says what the answer means for a submit of so many recipients.
func (a Answer) Judge(recipients int) Verdict {
	if reason, ok := AccountReason(a.Code); ok {
		return Verdict{Scope: AboutAccount, Reason: reason}
	}
	switch a.Code {
	case "0":
		return a.judgeCounts(recipients)
	case "1", "4":
		return rejected(sms.ContentRejected)
	case "2":
		return a.judgeWords()
	case "3":
		return rejected(sms.InvalidRecipient)
	case "14":
		v := rejected(sms.MalformedRequest)
		v.Alert = true
		return v
	case "-1":
		return Verdict{Scope: AboutSystem, Status: sms.Unknown, Reason: sms.ProviderError}
	default:
		v := rejected(sms.UnknownProviderCode)
		v.Alert = true
		return v
	}
}

// AccountReason is the reason to hold the line for, if code is one of those
// that speak of the account. Submits and questions for the balance share them.
func AccountReason(code string) (sms.Reason, bool) {
	switch code {
	case "10":
		return sms.AuthFailed, true
	case "11":
		return sms.AccountClosed, true
	case "12":
		return sms.AccountSuspended, true
	case "13":
		return sms.IPNotAllowed, true
	default:
		return "", false
	}
}

// judgeCounts reads an accepted request. Which numbers were refused is known
// only from their reports, so several recipients share one reason.
func (a Answer) judgeCounts(recipients int) Verdict {
	reason := sms.InvalidRecipient
	if a.Blocked > 0 {
		reason = sms.BlockedRecipient
	}
	switch {
	case a.Accepted == 0:
		return rejected(reason)
	case a.Accepted >= recipients:
		return Verdict{Scope: AboutMessage, Status: sms.Accepted}
	default:
		return Verdict{Scope: AboutMessage, Status: sms.PartiallyAccepted, Reason: reason}
	}
}

// judgeWords reads code 2, which copies of the provider's own table explain in
// two ways. Words about money win: holding the line can be undone, a burnt
// command cannot.
func (a Answer) judgeWords() Verdict {
	switch {
	case containsAny(a.Text, "余额", "不足", "充值", "欠费"):
		return Verdict{Scope: AboutAccount, Reason: sms.InsufficientBalance}
	case containsAny(a.Text, "敏感", "屏蔽", "非法"):
		return rejected(sms.ContentRejected)
	default:
		v := rejected(sms.ContentRejected)
		v.Scope = AskBalance
		return v
	}
}

func rejected(reason sms.Reason) Verdict {
	return Verdict{Scope: AboutMessage, Status: sms.Rejected, Reason: reason}
}

func containsAny(s string, words ...string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}
