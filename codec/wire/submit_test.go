package wire

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestSubmitFormKeepsEveryValueInItsOwnField(t *testing.T) {
	s := Submit{
		Name:      "acc&name=x",
		Password:  "p=w+d%41",
		Content:   "100% 验证码;a&mobile=13900000009\r\n😀",
		Sign:      "公司",
		Extension: "123",
		Mobiles:   []string{"13800000001", "13800000002"},
		SendAt:    time.Date(2026, 3, 4, 1, 5, 6, 0, time.UTC),
	}
	body := string(AppendSubmit(nil, s))
	form, err := url.ParseQuery(body)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"name": s.Name, "pwd": s.Password, "content": s.Content, "sign": s.Sign, "extno": s.Extension,
		"mobile": "13800000001,13800000002", "type": "pt",
		"stime": "2026-03-04 09:05:06", // zero-padded, Asia/Shanghai
	}
	if len(form) != len(want) {
		t.Errorf("fields: %d, want %d: %s", len(form), len(want), body)
	}
	for name, value := range want {
		if got := form[name]; len(got) != 1 || got[0] != value {
			t.Errorf("%s = %q, want %q", name, got, value)
		}
	}
	if strings.ContainsAny(body, "+ \r\n;,") {
		t.Errorf("not everything is percent-encoded: %s", body)
	}
}

func TestSubmitFormLeavesOutWhatIsNotGiven(t *testing.T) {
	body := string(AppendSubmit([]byte("x"), Submit{Name: "n", Password: "p", Content: "c", Sign: "s", Mobiles: []string{"13800000001"}}))
	if want := "xname=n&pwd=p&content=c&mobile=13800000001&sign=s&type=pt"; body != want {
		t.Errorf("got %s, want %s", body, want)
	}
}

func TestBalanceFormAsksForTheBalance(t *testing.T) {
	if got, want := string(AppendBalance(nil, "n", "p d")), "name=n&pwd=p%20d&type=balance"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
