package config

import (
	"os"
	"regexp"
	"slices"
	"strings"
)

// kubernetes matches what Kubernetes puts into every container of a namespace
// for a Service named smsbridge or smsbridge-something.
var kubernetes = regexp.MustCompile(`^(?:[A-Z0-9_]+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$`)

// kubernetesPort matches the value of …PORT. Looking at the value as well
// keeps a mistaken PUSH_PORT=8080 from passing silently.
var kubernetesPort = regexp.MustCompile(`^(?:tcp|udp|sctp)://`)

func injected(name, value string) bool {
	if name == "PORT" || strings.HasSuffix(name, "_PORT") && !kubernetes.MatchString(name) {
		return kubernetesPort.MatchString(value)
	}
	return kubernetes.MatchString(name)
}

// refuseUnknown faults every variable with our prefix that means nothing: a
// typo would otherwise leave a default in place, unseen.
func (k *checker) refuseUnknown(vars []variable) {
	var known []string
	for _, v := range vars {
		known = append(known, v.name)
		if v.isSecret() {
			known = append(known, v.name+"_FILE")
		}
	}
	for _, pair := range slices.Sorted(slices.Values(os.Environ())) {
		name, value, _ := strings.Cut(pair, "=")
		name, ours := strings.CutPrefix(name, prefix)
		if !ours || slices.Contains(known, name) || injected(name, value) {
			continue
		}
		remedy := "remove it; smsbridge config lists every variable"
		if near := Nearest(name, known); near != "" {
			remedy = "did you mean " + prefix + near + "?"
		}
		k.fault(name, "is not known", remedy)
	}
}

// Nearest is the known name that a typo most likely stands for, empty when none
// is near.
func Nearest(name string, known []string) string {
	best, limit := "", min(max(2, len(name)/4), len(name)-1)
	for _, candidate := range known {
		if d := distance(name, candidate); d <= limit {
			best, limit = candidate, d-1
		}
	}
	return best
}

// distance counts the letters to insert, delete or replace between a and b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
