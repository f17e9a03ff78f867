package wire

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"smsbridge/codec/sms"
)

const testSendID = "20140821110353234137876543"

func TestAnswerLineIsReadInEveryFormThatWasSeen(t *testing.T) {
	success := Answer{Code: "0", SendID: testSendID, Accepted: 500, Text: "提交成功"}
	gb, err := simplifiedchinese.GB18030.NewEncoder().String("0," + testSendID + ",0,500,0,提交成功")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		body string
		want Answer
	}{
		"the document's example":          {"0, 20140821110353234137876543,0,500,0,提交成功", success},
		"byte order mark":                 {"\ufeff0," + testSendID + ",0,500,0,提交成功", success},
		"empty lines before, more behind": {"\r\n \n0," + testSendID + ",0,500,0,提交成功\r\n1,x\n", success},
		"full-width commas":               {"0，" + testSendID + "，0，500，0，提交成功", success},
		"GB18030":                         {gb, success},
		"four fields":                     {"0," + testSendID + ",500,提交成功", success},
		"four fields, full-width":         {"0，" + testSendID + "，500，提交成功", success},
		"four fields, commas in msg":      {"0," + testSendID + ",1,a,b", Answer{Code: "0", SendID: testSendID, Accepted: 1, Text: "a,b"}},
		"commas in msg":                   {"0," + testSendID + ",1,2,3,a,b，c", Answer{Code: "0", SendID: testSendID, Invalid: 1, Accepted: 2, Blocked: 3, Text: "a,b，c"}},
		"no msg":                          {"0," + testSendID + ",0,1,0", Answer{Code: "0", SendID: testSendID, Accepted: 1}},
		"short, of six fields":            {"0,12345,0,1,0,ok", Answer{Code: "0", SendID: "12345", Accepted: 1, Text: "ok"}},
		"short, without a text":           {"0, 12345,0,1,0,", Answer{Code: "0", SendID: "12345", Accepted: 1}},
		"fourteen digits":                 {"0,20140821110353,0,1,0,", Answer{Code: "0", SendID: "20140821110353", Accepted: 1}},
		"refusal":                         {"1,含有敏感词汇", Answer{Code: "1", Text: "含有敏感词汇"}},
		"refusal, full-width comma":       {"13，IP错误", Answer{Code: "13", Text: "IP错误"}},
		"refusal, commas in msg":          {"2,a,b，c", Answer{Code: "2", Text: "a,b，c"}},
		"negative code":                   {"-1,系统异常", Answer{Code: "-1", Text: "系统异常"}},
		"ten is not one":                  {"10,", Answer{Code: "10"}},
		"bare code of two characters":     {"13", Answer{Code: "13"}},
		"unknown code":                    {"777,what", Answer{Code: "777", Text: "what"}},
		"control characters in msg":       {"1,a\x00\x1b[31mb", Answer{Code: "1", Text: "a[31mb"}},
		"a number in msg":                 {"3,号码13800000000，+86 １３９００００００００", Answer{Code: "3", Text: "号码***********，+86 ***********"}},
		"few digits in msg":               {"2,余额不足:123456", Answer{Code: "2", Text: "余额不足:123456"}},
		"long msg":                        {"1," + strings.Repeat("长", 1000), Answer{Code: "1", Text: strings.Repeat("长", 200)}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseAnswer([]byte(c.body))
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}

func TestAnswerThatIsNoneLeavesTheOutcomeUnknown(t *testing.T) {
	for name, body := range map[string]string{
		"empty":                       "",
		"blank":                       "\ufeff \r\n\t\n",
		"HTML":                        "<html><body>502 Bad Gateway</body></html>",
		"JSON":                        `{"code":0}`,
		"wrong type":                  "0,type is not true ,",
		"a balance":                   "0,6",
		"code alone":                  "0",
		"perhaps the beginning of 13": "1",
		"thirteen digits, cut":        "0,2014082111035,0,1,0",
		"short, of four fields":       "0,12345,1,ok",
		"letters in the sendid":       "0,2014082111035x2341,0,1,0,ok",
		"sendid that may be cut":      "0," + testSendID,
		"no counts":                   "0," + testSendID + ",",
		"six fields cut to four":      "0," + testSendID + ",0,5",
		"four fields cut at msg":      "0," + testSendID + ",1,",
		"negative counts":             "0," + testSendID + ",-1,-1,-1,ok",
		"endless counts":              "0," + testSendID + ",0,99999999999999999999,0,ok",
		"zero written otherwise":      "00," + testSendID + ",0,1,0,ok",
		"plus zero":                   "+0," + testSendID + ",0,1,0,ok",
		"endless code":                strings.Repeat("1", 1000) + ",x",
		"beyond 64 KiB":               "1,x" + strings.Repeat(" ", MaxAnswer),
		"binary":                      "\x00\xff\xfe\x80,,",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseAnswer([]byte(body))
			if !errors.Is(err, ErrUnreadable) || got != (Answer{}) {
				t.Errorf("got %+v, %v, want ErrUnreadable", got, err)
			}
		})
	}
}

func TestBalanceLine(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want Balance
	}{
		"seen":           {"0,6", Balance{Code: "0", Amount: "6"}},
		"with a blank":   {"\ufeff0, 12.50 \r\n", Balance{Code: "0", Amount: "12.50"}},
		"trailing comma": {"0,6,", Balance{Code: "0", Amount: "6"}},
		"full-width":     {"0，6", Balance{Code: "0", Amount: "6"}},
		"in debt":        {"0,-3", Balance{Code: "0", Amount: "-3"}},
		"suspended":      {"12,帐号停用", Balance{Code: "12", Text: "帐号停用"}},
		"bare code":      {"10", Balance{Code: "10"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseBalance([]byte(c.body))
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
	for name, body := range map[string]string{
		"empty": "", "HTML": "<html>", "no amount": "0,", "text": "0,many", "a sendid": "0," + testSendID,
		"thousands": "0,1,234", "a submit's answer": "0," + testSendID + ",0,1,0,ok", "point alone": "0,.", "exponent": "0,1e9",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := ParseBalance([]byte(body)); !errors.Is(err, ErrUnreadable) {
				t.Errorf("got %+v, %v, want ErrUnreadable", got, err)
			}
		})
	}
}

func TestSendIDBeginsWithTheTimeOfItsSubmit(t *testing.T) {
	got, ok := SendIDTime(testSendID)
	if want := time.Date(2014, 8, 21, 3, 3, 53, 234e6, time.UTC); !ok || !got.Equal(want) {
		t.Errorf("got %v, %v, want %v", got, ok, want)
	}
	for _, bad := range []string{"", "20141321110353234137876543", "00000000000000", "2014082111035x234"} {
		if got, ok := SendIDTime(bad); ok {
			t.Errorf("%q gives %v", bad, got)
		}
	}
}

func TestAnswerIsJudgedByItsWholeCode(t *testing.T) {
	message := func(status sms.Status, reason sms.Reason) Verdict {
		return Verdict{Scope: AboutMessage, Status: status, Reason: reason}
	}
	account := func(reason sms.Reason) Verdict { return Verdict{Scope: AboutAccount, Reason: reason} }
	alert := func(v Verdict) Verdict { v.Alert = true; return v }
	for name, c := range map[string]struct {
		answer Answer
		want   Verdict
	}{
		"all accepted":          {Answer{Code: "0", Accepted: 3}, message(sms.Accepted, "")},
		"some invalid":          {Answer{Code: "0", Accepted: 2, Invalid: 1}, message(sms.PartiallyAccepted, sms.InvalidRecipient)},
		"some blocked":          {Answer{Code: "0", Accepted: 1, Invalid: 1, Blocked: 1}, message(sms.PartiallyAccepted, sms.BlockedRecipient)},
		"one lost in the count": {Answer{Code: "0", Accepted: 2}, message(sms.PartiallyAccepted, sms.InvalidRecipient)},
		"none, blacklisted":     {Answer{Code: "0", Invalid: 2, Blocked: 1}, message(sms.Rejected, sms.BlockedRecipient)},
		"none":                  {Answer{Code: "0", Invalid: 3}, message(sms.Rejected, sms.InvalidRecipient)},
		"sensitive words":       {Answer{Code: "1"}, message(sms.Rejected, sms.ContentRejected)},
		"no numbers":            {Answer{Code: "3"}, message(sms.Rejected, sms.InvalidRecipient)},
		"contains SQL":          {Answer{Code: "4"}, message(sms.Rejected, sms.ContentRejected)},
		"no account":            {Answer{Code: "10"}, account(sms.AuthFailed)},
		"cancelled":             {Answer{Code: "11"}, account(sms.AccountClosed)},
		"suspended":             {Answer{Code: "12"}, account(sms.AccountSuspended)},
		"IP":                    {Answer{Code: "13"}, account(sms.IPNotAllowed)},
		"malformed":             {Answer{Code: "14"}, alert(message(sms.Rejected, sms.MalformedRequest))},
		"system error":          {Answer{Code: "-1"}, Verdict{Scope: AboutSystem, Status: sms.Unknown, Reason: sms.ProviderError}},
		"unknown code":          {Answer{Code: "100"}, alert(message(sms.Rejected, sms.UnknownProviderCode))},
		"two, balance":          {Answer{Code: "2", Text: "余额不足"}, account(sms.InsufficientBalance)},
		"two, arrears":          {Answer{Code: "2", Text: "已欠费"}, account(sms.InsufficientBalance)},
		"two, words":            {Answer{Code: "2", Text: "含有敏感词"}, message(sms.Rejected, sms.ContentRejected)},
		"two, both":             {Answer{Code: "2", Text: "敏感或余额"}, account(sms.InsufficientBalance)},
		"two, neither":          {Answer{Code: "2", Text: "error"}, Verdict{Scope: AskBalance, Status: sms.Rejected, Reason: sms.ContentRejected}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.answer.Judge(3); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}
