package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestCommandLineThatCannotBeMeantIsAUsageError(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"no command": {}, "unknown command": {"brokr"}, "unknown flag": {"provider", "-dorp", "0.1"},
		"unknown mode": {"provider", "-push-auth", "basic"}, "stray word": {"broker", "now"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := dispatch(t.Context(), args, io.Discard); !errors.Is(err, errUsage) {
				t.Errorf("%v", err)
			}
		})
	}
	if err := dispatch(t.Context(), []string{"provider", "-h"}, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("%v", err)
	}
	if err := dispatch(t.Context(), []string{"provider", "-listen", "127.0.0.1:0", "-drop", "2"}, io.Discard); err == nil || errors.Is(err, errUsage) {
		t.Errorf("%v", err)
	}
}

func TestServersRunUntilTheyAreStopped(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		args  []string
		check func(t *testing.T, said string)
	}{
		"broker": {args: []string{"broker", "-listen", "127.0.0.1:0", "-topics", "a,b"}, check: func(*testing.T, string) {}},
		"provider": {
			args: []string{"provider", "-listen", "127.0.0.1:0", "-name", "n", "-sensitive", "x,y", "-report-mix", "DELIVRD=1"},
			check: func(t *testing.T, said string) {
				t.Helper()
				_, address, _ := strings.Cut(strings.TrimSpace(said), "on ")
				resp, err := http.PostForm(address, url.Values{"name": {"n"}, "type": {"balance"}})
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if body, _ := io.ReadAll(resp.Body); string(body) != "0,1000000000" {
					t.Errorf("%s", body)
				}
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithCancel(t.Context())
			out, in := io.Pipe()
			ended := make(chan error, 1)
			go func() { ended <- dispatch(ctx, tt.args, in) }()
			said, err := bufio.NewReader(out).ReadString('\n')
			if err != nil || !strings.Contains(said, "listening on") {
				t.Fatalf("%q, %v", said, err)
			}
			tt.check(t, said)
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}
