package telemetry

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strings"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{"since": since, "took": took}).Parse(pageText))

// policy allows a page nothing but its own style sheet, known by its digest.
var policy = "default-src 'none'; style-src 'sha256-" + styleDigest() + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func styleDigest() string {
	_, style, _ := strings.Cut(pageText, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func (a *Admin) page(w http.ResponseWriter, _ *http.Request) {
	v := a.view()
	var text bytes.Buffer
	if err := pageTemplate.Execute(&text, struct {
		view
		Alarms []alarm
		Lag    int64
	}{v, v.alarms(), v.lag()}); err != nil {
		a.fail(w, err)
		return
	}
	answer(w, http.StatusOK, "text/html", text.String())
}

// alarm is something that somebody may have to do something about.
type alarm struct{ What, Remedy string }

// remedies say what to do about a held line, by its reason. The line opens by
// itself once the provider accepts again.
var remedies = map[Text]string{
	"insufficient_balance": "Top up the account.",
	"auth_failed":          "Check PROVIDER_NAME and PROVIDER_PASSWORD.",
	"account_closed":       "Call the provider.",
	"account_suspended":    "Call the provider.",
	"ip_not_allowed":       "Have the provider allow this host's address.",
	"network_error":        "Nothing reaches the provider: check network, DNS and PROVIDER_URL.",
	"timeout":              "The provider does not answer. Ask it.",
	"protocol_error":       "The provider's answers cannot be read. Ask it.",
	"provider_error":       "The provider fails. Ask it.",
	"cap_reached":          "A cap is used up: the oldest submits leave its window one by one. CAP_PER_MINUTE and CAP_PER_DAY may be raised.",
}

func (v *view) alarms() []alarm {
	var list []alarm
	if !v.Ready {
		list = append(list, alarm{"Not ready: " + string(v.NotReady), ""})
	}
	if v.Line != nil && v.Line.State != "open" {
		remedy := remedies[v.Line.Reason]
		list = append(list, alarm{fmt.Sprintf("Line %s: %s", v.Line.State, v.Line.Reason), strings.TrimSpace(remedy + " Commands wait, none is lost.")})
	}
	for _, p := range v.Partitions {
		if p.Halted {
			list = append(list, alarm{fmt.Sprintf("Partition %d halted: %s", p.Partition, p.Reason), string(p.Remedy)})
		}
	}
	if v.Reports != nil {
		if v.Reports.Halted != "" {
			list = append(list, alarm{"Delivery reports halted: " + string(v.Reports.Halted), "They wait in Kafka."})
		}
		for _, p := range v.Reports.Partitions {
			if p.Halted != "" {
				list = append(list, alarm{fmt.Sprintf("Delivery reports of partition %d halted: %s", p.Partition, p.Halted), "They wait in Kafka."})
			}
		}
	}
	if v.Spool != nil && v.Spool.Failing != "" {
		list = append(list, alarm{"Spool fails: " + string(v.Spool.Failing), "Pushes are answered 503 while Kafka is away too. Make room, or mend the disk."})
	}
	if v.Spool != nil && v.Spool.SetAside > 0 {
		list = append(list, alarm{fmt.Sprintf("Spool: %d damaged files set aside", v.Spool.SetAside), "Keep them; they hold pushes that were answered 200."})
	}
	if v.Balance != nil && (v.Balance.Level == "low" || v.Balance.Level == "exhausted") {
		list = append(list, alarm{fmt.Sprintf("Balance %s: %s %s", v.Balance.Level, v.Balance.Amount, v.Balance.Unit), "Top up the account."})
	}
	return list
}

func (v *view) lag() int64 {
	var sum int64
	for _, p := range v.Partitions {
		sum += p.Lag
	}
	return sum
}
