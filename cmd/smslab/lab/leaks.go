package lab

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"smsbridge/cmd/smslab/trial"
)

// keep saves what an admin page shows, for findLeaks. A connector that is down
// shows nothing.
func keep(ctx context.Context, url, path string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	if page, err := io.ReadAll(resp.Body); err == nil {
		os.WriteFile(path, page, 0o600) //nolint:errcheck // then it is not looked at
	}
}

// private finds what no log may hold: the lab's numbers, texts and credentials.
func private() (*regexp.Regexp, error) {
	hidden := []string{`13[89]0000[0-9]{4}`}
	for _, secret := range []string{canary, AccountName, AccountPassword, pushName, pushPassword, setting("SASL_PASSWORD")} {
		if secret != "" {
			hidden = append(hidden, regexp.QuoteMeta(secret))
		}
	}
	return regexp.Compile(strings.Join(hidden, "|"))
}

func findLeaks(dir string) ([]trial.Leak, error) {
	secrets, err := private()
	if err != nil {
		return nil, err
	}
	logs, err := filepath.Glob(filepath.Join(dir, "connector-*.log"))
	if err != nil {
		return nil, err
	}
	var leaks []trial.Leak
	for _, path := range logs {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		scanner := bufio.NewScanner(f)
		scanner.Buffer(nil, 1<<20)
		for n := 1; scanner.Scan(); n++ {
			if secrets.Match(scanner.Bytes()) {
				leaks = append(leaks, trial.Leak{File: filepath.Base(path), Line: n})
			}
		}
		f.Close() //nolint:errcheck // only read
		if err := scanner.Err(); err != nil {
			return nil, err
		}
	}
	return leaks, nil
}
