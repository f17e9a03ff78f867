package wire

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestOddParametersCostNoCredentials(t *testing.T) {
	t.Parallel()
	const good = "name=n&pwd=p&random=r&timestamp=1"
	many := strings.Repeat("&x=1", MaxParameters)
	for name, in := range map[string]Push{
		"repeated in the body":        {form, []byte(good + "&state=X&state=Y&name=other"), ""},
		"repeated in the query":       {form, []byte(good), "state=X&state=Y"},
		"credentials in the query":    {form, []byte("state=X&state=Y"), good},
		"too many behind":             {form, []byte(good + many), ""},
		"too many before":             {form, []byte("x=1" + many + "&" + good), ""},
		"too many, and one is double": {form, []byte(good + many + "&pwd=other"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := Credentials{Name: "n", Password: "p", Random: "r", Timestamp: "1"}
			var unreadable *Unreadable
			if got, err := ParseReportPush(in); got.Credentials != want || !errors.As(err, &unreadable) {
				t.Errorf("report: %+v, %v", got.Credentials, err)
			}
			in.Body = []byte(strings.ReplaceAll(string(in.Body), "state", "args"))
			in.Query = strings.ReplaceAll(in.Query, "state", "args")
			if got, err := ParseInboundPush(in); got.Credentials != want || !errors.As(err, &unreadable) {
				t.Errorf("inbound: %+v, %v", got.Credentials, err)
			}
		})
	}
}

func TestCredentialsAreTakenOutAndNothingElse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"in front":               {"name=n&pwd=p&sendid=1", "name=&pwd=&sendid=1"},
		"at the end":             {"sendid=1&random=r&timestamp=2", "sendid=1&random=&timestamp="},
		"all of a repeated one":  {"pwd=p&sendid=1&pwd=q", "pwd=&sendid=1&pwd="},
		"encoded name":           {"na%6De=n&sendid=1", "na%6De=&sendid=1"},
		"behind a mark of order": {"\ufeffname=n&sendid=1", "\ufeffname=&sendid=1"},
		"behind a newline":       {"\r\nname=n&sendid=1", "\r\nname=&sendid=1"},
		"equals sign in it":      {"pwd=a=b&sendid=1", "pwd=&sendid=1"},
		"none":                   {"sendid=1&names=x&xpwd=y&name", "sendid=1&names=x&xpwd=y&name"},
		"rest of a text":         {"name=n&args=1#@#a&name=b#@#2013-08-21 21:20:11#@#", "name=&args=1#@#a&name=b#@#2013-08-21 21:20:11#@#"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Push{Body: []byte(c.in), Query: c.in}.WithoutCredentials()
			if string(got.Body) != c.want || got.Query != c.want {
				t.Errorf("body %q, query %q, want %q", got.Body, got.Query, c.want)
			}
		})
	}
}

// What is kept without its credentials is read as it was with them.
func FuzzPushWithoutCredentials(f *testing.F) {
	f.Add(form, []byte("name=n&pwd=p&sendid=1&mobile=13800000001&state=DELIVRD"), "")
	f.Add(form, []byte("\ufeff\r\nname=n&args="+documentedArgs+"&a=b&pwd=p"), "random=1&timestamp=2")
	f.Add(form+"; charset=gbk", []byte("args=\xc4\xaa&name&name=&na%6de=x"), "args=1&&name==")
	f.Fuzz(func(t *testing.T, contentType string, body []byte, query string) {
		with := Push{contentType, body, query}
		without := with.WithoutCredentials()
		report, err := ParseReportPush(with)
		kept, errOfKept := ParseReportPush(without)
		if strings.Contains(kept.Name+kept.Password+kept.Random+kept.Timestamp, fieldMark) {
			return // taken for a text
		}
		if kept.Credentials != (Credentials{}) {
			t.Fatalf("kept %+v", kept.Credentials)
		}
		report.Credentials = Credentials{}
		if !reflect.DeepEqual(kept, report) || !reflect.DeepEqual(err, errOfKept) {
			t.Errorf("report %+v, %v, without credentials %+v, %v", report, err, kept, errOfKept)
		}
		inbound, err := ParseInboundPush(with)
		text, errOfKept := ParseInboundPush(without)
		if inbound.Args != text.Args || !reflect.DeepEqual(err, errOfKept) {
			t.Errorf("inbound %q, %v, without credentials %q, %v", inbound.Args, err, text.Args, errOfKept)
		}
	})
}
