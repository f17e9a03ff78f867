// Package deploy holds what smsbridge is installed and watched with.
package deploy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"smsbridge/config"
)

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

type object struct {
	Kind string
	Data map[string]string
	Spec struct {
		Template struct {
			Spec struct {
				EnableServiceLinks            *bool `yaml:"enableServiceLinks"`
				TerminationGracePeriodSeconds int   `yaml:"terminationGracePeriodSeconds"`
			}
		}
	}
}

func kubernetes(t *testing.T) map[string]object {
	t.Helper()
	objects := map[string]object{}
	for d := yaml.NewDecoder(bytes.NewReader(read(t, "kubernetes/smsbridge.yaml"))); ; {
		var o object
		err := d.Decode(&o)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		objects[o.Kind] = o
	}
}

// load lets the program read variables; secrets that are files are there.
func load(t *testing.T, variables map[string]string) config.Config {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range variables {
		if strings.HasSuffix(name, "_FILE") {
			value = secret
		}
		t.Setenv(name, value)
	}
	c, err := config.Load()
	if err != nil {
		t.Error(err)
	}
	return c
}

func TestKubernetesVariablesAreThoseOfTheProgram(t *testing.T) {
	objects := kubernetes(t)
	c := load(t, objects["ConfigMap"].Data)
	pod := objects["StatefulSet"].Spec.Template.Spec
	if grace := time.Duration(pod.TerminationGracePeriodSeconds) * time.Second; grace <= c.Life.ShutdownGrace+5*time.Second {
		t.Errorf("the pod is killed after %v, which leaves nothing beside SHUTDOWN_GRACE of %v", grace, c.Life.ShutdownGrace)
	}
	if pod.EnableServiceLinks == nil || *pod.EnableServiceLinks {
		t.Error("a Service named smsbridge would inject variables")
	}
}

func TestComposeVariablesAreThoseOfTheProgram(t *testing.T) {
	var compose struct {
		Services map[string]struct {
			Environment map[string]string
		}
	}
	if err := yaml.Unmarshal(read(t, "compose.yaml"), &compose); err != nil {
		t.Fatal(err)
	}
	load(t, compose.Services["smsbridge"].Environment)
}

func TestEveryAlertAndEveryHaltHasItsSectionInTheRunbook(t *testing.T) {
	sections := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^#+ `?([A-Za-z_]+)`?").FindAllStringSubmatch(string(read(t, "runbook.md")), -1) {
		sections[strings.ToLower(m[1])] = true
	}
	alerts := regexp.MustCompile(`runbook: deploy/runbook\.md#(\w+)`).FindAllStringSubmatch(string(read(t, "prometheus/alerts.yaml")), -1)
	halts := regexp.MustCompile(`HaltReason = "(\w+)"`).FindAllStringSubmatch(string(read(t, "../connector/journal/halt.go")), -1)
	if len(alerts) == 0 || len(halts) == 0 {
		t.Fatalf("%d alerts, %d halts", len(alerts), len(halts))
	}
	for _, m := range append(alerts, halts...) {
		if !sections[m[1]] {
			t.Errorf("no section %q", m[1])
		}
	}
}

// A name that no program exports shows nothing, and warns of nothing.
func TestAlertsAndDashboardAskForMetricsThatTheProgramHas(t *testing.T) {
	var instruments []string
	err := filepath.WalkDir("../connector", func(path string, _ os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			for _, m := range regexp.MustCompile(`"(smsbridge\.[a-z_.]+)"`).FindAllStringSubmatch(string(read(t, path)), -1) {
				instruments = append(instruments, strings.ReplaceAll(m[1], ".", "_"))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var dashboard any
	if err := json.Unmarshal(read(t, "grafana/dashboard.json"), &dashboard); err != nil {
		t.Fatal(err)
	}
	text := string(read(t, "prometheus/alerts.yaml")) + string(read(t, "grafana/dashboard.json"))
	unit := regexp.MustCompile(`(_total|_ratio|(_seconds)?(_bucket|_count|_sum)?)$`)
	for _, name := range regexp.MustCompile(`smsbridge_[a-z_]+`).FindAllString(text, -1) {
		if name == "smsbridge_account" {
			continue
		}
		known := false
		for _, instrument := range instruments {
			known = known || instrument == unit.ReplaceAllString(name, "") || instrument == name
		}
		if !known {
			t.Errorf("no instrument for %s", name)
		}
	}
}
