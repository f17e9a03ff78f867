package wire

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		"0, 20140821110353234137876543,0,500,0,提交成功", "0，20140821110353234137876543，1，提交成功",
		"0,type is not true ,", "0,6", "-1,x", "13", "\ufeff\n2,余额", "<html>", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := ParseAnswer(body)
		if err != nil {
			if !errors.Is(err, ErrUnreadable) || a != (Answer{}) {
				t.Fatalf("got %+v with %v", a, err)
			}
			return
		}
		if (a.Code == "0") != isDigits(a.SendID) || a.Code == "" || a.Invalid < 0 || a.Accepted < 0 || a.Blocked < 0 {
			t.Errorf("not an answer: %+v", a)
		}
		if !utf8.ValidString(a.Text) || utf8.RuneCountInString(a.Text) > maxAnswerText {
			t.Errorf("text is not fit to be passed on: %q", a.Text)
		}
		if v := a.Judge(1); v.Scope == "" {
			t.Errorf("no verdict on %+v", a)
		}
		SendIDTime(a.SendID)
	})
}

func FuzzBalance(f *testing.F) {
	for _, seed := range []string{"0,6", "0, -12.50 ,", "12,x", "0,20140821110353234137876543", "0，6", ""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := ParseBalance(body)
		if err != nil && (!errors.Is(err, ErrUnreadable) || b != (Balance{})) {
			t.Fatalf("got %+v with %v", b, err)
		}
		if err == nil && (b.Code == "" || (b.Code == "0") != isAmount(b.Amount)) {
			t.Errorf("not a balance: %+v", b)
		}
	})
}

func FuzzReportPush(f *testing.F) {
	f.Add(form, []byte("sendid=1&mobile=13800000001,13800000002&state=DELIVRD&time=2013-08-20 9:11:34"), "name=n&pwd=p")
	f.Add(form+"; charset=gbk", []byte("sendid=1&mobile=%2B8613800000001;&state=%D1"), "")
	f.Add("", []byte("a=%&b=;&&=&args=#"), "%zz=1&sendid")
	f.Fuzz(func(t *testing.T, contentType string, body []byte, query string) {
		r, err := ParseReportPush(Push{contentType, body, query})
		if err != nil {
			var unreadable *Unreadable
			if !errors.As(err, &unreadable) || unreadable.Rule == "" || unreadable.Remedy == "" {
				t.Fatalf("error without rule or remedy: %v", err)
			}
			return
		}
		if r.SendID == "" || r.State == "" || len(r.Mobiles) == 0 || len(r.SendID) > 64 || utf8.RuneCountInString(r.State) > maxState {
			t.Errorf("half a report: %+v", r)
		}
		for _, m := range r.Mobiles {
			if digits, ok := NormalizeNumber(m); !ok || digits != m {
				t.Errorf("%q is not a number", m)
			}
		}
	})
}

func FuzzInboundPush(f *testing.F) {
	f.Add(form, []byte("name=n&args="+url.QueryEscape(documentedArgs)), "")
	f.Add(form, []byte("args="+documentedArgs+"&b&name=n"), "pwd=p")
	f.Add(form+"; charset=gb18030", []byte("args=\xc4\xaa#@#"), "")
	f.Fuzz(func(t *testing.T, contentType string, body []byte, query string) {
		p, err := ParseInboundPush(Push{contentType, body, query})
		if err == nil && !utf8.ValidString(p.Args) {
			t.Errorf("args are not UTF-8: %q", p.Args)
		}
	})
}

func FuzzArgs(f *testing.F) {
	f.Add(documentedArgs)
	f.Add("13800000001#@##@@#13900000001#@#TD#@#2013-08-21 21:20:11#@#008#@#2013-08-21 9:20:11#@#")
	f.Add("1#@##@#2013-08-21 21:20:11#@##@@#")
	f.Add("1#@#a#@@#2#@#b")
	f.Fuzz(func(t *testing.T, args string) {
		all, err := ParseArgs(args)
		if err == nil && len(all) == 0 || len(all) > MaxRecords {
			t.Fatalf("%d records, %v", len(all), err)
		}
		size := 0
		for _, mo := range all {
			size += len(mo.From) + len(mo.Text) + len(mo.Extension)
			if !isDigits(mo.From) || mo.SentAt.IsZero() || mo.Confidence == "" || !strings.Contains(args, mo.Text) {
				t.Errorf("not a record: %+v", mo)
			}
		}
		if size > len(args) {
			t.Errorf("%d bytes were read from %d", size, len(args))
		}
	})
}

// A text without marks, whatever else it holds, comes out as it went in.
func FuzzTextOfAnInboundMessage(f *testing.F) {
	f.Add("退订")
	f.Add("a&b=c;50%+1 #@ #@@ @# ")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text+"#", fieldMark) || strings.Contains(text+"#", recordMark) || !utf8.ValidString(text) {
			return
		}
		args := "13800000001#@#" + text + "#@#2013-08-21 21:20:11#@#008"
		push, err := ParseInboundPush(Push{form, []byte("args=" + url.QueryEscape(args)), ""})
		if err != nil {
			t.Fatal(err)
		}
		all, err := ParseArgs(push.Args)
		if err != nil || len(all) != 1 || all[0].Text != text {
			t.Errorf("got %+v, %v, want %q", all, err, text)
		}
	})
}

func FuzzNumber(f *testing.F) {
	for _, seed := range []string{"13800000001", "+86 138-0000-0001", "００８６１３８０００００００１", "+1380000", "\u202d1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		digits, ok := NormalizeNumber(s)
		if !ok {
			return
		}
		if again, ok := NormalizeNumber(digits); len(digits) != 11 || !isDigits(digits) || !ok || again != digits {
			t.Errorf("%q gives %q, which gives %q", s, digits, again)
		}
	})
}

func FuzzMeasure(f *testing.F) {
	f.Add("【公司】code 1", "公司")
	f.Add(strings.Repeat("€", 81), "")
	f.Add(strings.Repeat("😀", 67), "x")
	f.Fuzz(func(t *testing.T, text, sign string) {
		m, err := MeasureText(text, sign)
		if err != nil {
			return
		}
		if m.Units < 1 || m.Units > MaxUnits || m.Segments < 1 || m.Segments > 8 || !strings.Contains(text, m.Content) {
			t.Errorf("got %+v", m)
		}
	})
}

func FuzzSubmitForm(f *testing.F) {
	f.Add("n", "p&w", "content=1&mobile=2", "公司", "13800000001")
	f.Fuzz(func(t *testing.T, name, password, content, sign, mobile string) {
		body := AppendSubmit(nil, Submit{Name: name, Password: password, Content: content, Sign: sign, Mobiles: []string{mobile}})
		got, err := url.ParseQuery(string(body))
		want := url.Values{"name": {name}, "pwd": {password}, "content": {content}, "sign": {sign}, "mobile": {mobile}, "type": {"pt"}}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	})
}
