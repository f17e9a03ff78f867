package simulator

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf16"

	"smsbridge/codec/wire"
)

// verdict is what the provider makes of one request.
type verdict struct {
	line    string // the answer, as it would be without a fault
	fault   string // what happens to it
	reports []*push
	early   bool          // push the reports before the answer
	wait    time.Duration // before the answer
}

// decide takes one complete request: it answers, enters the ledger, and makes the
// reports. Whatever the fault, it is decided here and only once.
func (p *Provider) decide(f form) verdict {
	now := time.Now()
	faults := p.faults.Load()
	entry := Entry{
		Name: f.name, Mobile: f.mobile, Content: f.content, Sign: f.sign,
		STime: f.stime, ExtNo: f.extno, Type: f.kind, At: stamp{now},
	}
	v := verdict{fault: faults.strikes(f), wait: faults.latency(f)}
	defer func() {
		entry.Fault = v.fault
		p.ledger.add(entry)
		p.counts.request(v.fault)
	}()

	if !carriedOut(v.fault) {
		if v.fault == "system" {
			entry.Code, v.line = "-1", "-1,系统异常"
		}
		return v
	}
	if code, text := p.refusal(f, faults, now); code != "" {
		entry.Code, v.line = code, code+","+text
		return v
	}
	switch f.kind {
	case "balance":
		entry.Code, v.line = "0", fmt.Sprintf("0,%d", p.balance.Load())
		return v
	case "pt":
	default:
		// So the real one answers: code 0, and no success.
		v.line = "0,type is not true ,"
		return v
	}
	if code, text := p.judge(f); code != "" {
		entry.Code, v.line = code, code+","+text
		return v
	}
	n := p.sort(f.mobile)
	if !p.pay(len(n.good)) {
		entry.Code, v.line = "2", "2,余额不足"
		return v
	}
	entry.Code, entry.SendID = "0", p.sendids.next(now)
	v.line = fmt.Sprintf("0, %s,%d,%d,%d,提交成功", entry.SendID, n.invalid, len(n.good), len(n.black))
	wait := time.Duration(0)
	if at, err := parseTime(f.stime); err == nil {
		wait = max(0, at.Sub(now))
	}
	v.reports, v.early = p.makeReports(entry.SendID, n, wait, faults), wait == 0 && chance(faults.Early)
	return v
}

// refusal is what the account is refused for, whatever it asks.
func (p *Provider) refusal(f form, faults *activeFaults, now time.Time) (code, text string) {
	if faults.Code != "" && (faults.until.IsZero() || now.Before(faults.until)) {
		account := len(faults.Code) == 2 && faults.Code >= "10" && faults.Code <= "13"
		if account || f.kind != "balance" {
			return faults.Code, faults.CodeText
		}
	}
	if p.cfg.Name != "" && f.name != p.cfg.Name || p.cfg.Password != "" && f.password != p.cfg.Password {
		return "10", "用户名或密码错误"
	}
	return "", ""
}

// judge is what a message is refused for.
func (p *Provider) judge(f form) (code, text string) {
	switch units := len(utf16.Encode([]rune(f.content))); {
	case strings.Trim(f.mobile, ", ") == "":
		return "3", "号码为空"
	case units == 0 || units > 500:
		return "14", "内容长度错误"
	case f.extno != "" && strings.Trim(f.extno, "0123456789") != "":
		return "14", "扩展码错误"
	}
	if f.stime != "" {
		if _, err := parseTime(f.stime); err != nil {
			return "14", "时间格式错误"
		}
	}
	for _, word := range p.cfg.Sensitive {
		if word != "" && strings.Contains(f.content, word) {
			return "1", "含有敏感词汇"
		}
	}
	return "", ""
}

// parseTime reads a time with one or two digits for the hour: Go's layout for two
// accepts both.
func parseTime(s string) (time.Time, error) {
	return time.ParseInLocation(time.DateTime, s, wire.Zone)
}

// numbers are the recipients of one request.
type numbers struct {
	good, black []string
	invalid     int
}

func (p *Provider) sort(mobile string) numbers {
	var n numbers
	for number := range strings.SplitSeq(mobile, ",") {
		number = strings.TrimSpace(number)
		switch {
		case number == "":
		case len(number) != 11 || number[0] != '1' || strings.Trim(number, "0123456789") != "":
			n.invalid++
		case p.cfg.BlackSuffix != "" && strings.HasSuffix(number, p.cfg.BlackSuffix):
			n.black = append(n.black, number)
		default:
			n.good = append(n.good, number)
		}
	}
	return n
}

// pay takes the price of so many texts off the balance, or nothing.
func (p *Provider) pay(texts int) bool {
	if p.balance.Add(-int64(texts)) < 0 {
		p.balance.Add(int64(texts))
		return false
	}
	return true
}
