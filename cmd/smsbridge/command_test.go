package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// paths lists every command with its words.
func paths(c *command, before []string) (list [][]string) {
	list = append(list, before)
	for _, s := range c.subs {
		list = append(list, paths(s, append(slices.Clone(before), s.name))...)
	}
	return list
}

// bare runs smsbridge without any variable of the provider or of pushes.
func bare(t *testing.T, args []string, settings ...string) *process {
	t.Helper()
	return start(t, args, append([]string{
		"SMSBRIDGE_PROVIDER_URL=", "SMSBRIDGE_PROVIDER_NAME=", "SMSBRIDGE_PROVIDER_PASSWORD=",
		"SMSBRIDGE_PUSH_AUTH=", "SMSBRIDGE_PUSH_NAME=", "SMSBRIDGE_PUSH_PASSWORD=",
	}, settings...)...)
}

func TestEveryCommandHasItsHelpOnStandardOutputAndExitsZero(t *testing.T) {
	t.Parallel()
	for _, path := range paths(smsbridge(), nil) {
		for _, asked := range [][]string{append(slices.Clone(path), "-h"), append(slices.Clone(path), "--help"), append([]string{"help"}, path...)} {
			var out, err strings.Builder
			if code := dispatch(asked, &out, &err); code != exitStopped || err.Len() > 0 || !strings.HasPrefix(out.String(), "usage: smsbridge") {
				t.Errorf("%q: exit code %d, %q", asked, code, out.String())
			}
		}
	}
	if p := start(t, []string{"run", "-h"}); p.exit() != exitStopped || !strings.HasPrefix(p.out.String(), "usage: smsbridge run") {
		t.Error("run -h is no help")
	}
}

func TestBareSmsbridgePrintsTheHelpAndSubmitsNothing(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"help"}} {
		p := start(t, args)
		if code := p.exit(); code != exitStopped || !strings.HasPrefix(p.out.String(), "usage: smsbridge COMMAND") || !strings.Contains(p.out.String(), "\n  redrive ") {
			t.Errorf("%q: exit code %d", args, code)
		}
	}
	one, other := start(t, []string{"version"}), start(t, []string{"--version"})
	if one.exit() != exitStopped || other.exit() != exitStopped || one.out.String() != other.out.String() {
		t.Error("--version is not version")
	}
}

func TestATypoIsAnsweredWithWhatWasMeant(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"explian":               "unknown command \"explian\"; did you mean explain?",
		"journal statsu":        "did you mean status?",
		"help rdrive":           "did you mean redrive?",
		"explain c0 -sinc 1h":   "unknown flag -sinc; did you mean -since?",
		"explain --show-number": "did you mean -show-numbers?",
		"cancel --metdata=a=b":  "did you mean -metadata?",
		"pause -class marketin": "write one of otp, notice, marketing",
		"audit now":             `"now" is not known`,
		"run fast":              `"fast" is not known`,
	} {
		t.Run(typed, func(t *testing.T) {
			t.Parallel()
			p := start(t, strings.Fields(typed))
			if code := p.exit(); code != exitUsage || !strings.Contains(p.out.String(), want) || !strings.Contains(p.out.String(), "usage: smsbridge") {
				t.Errorf("exit code %d", code)
			}
		})
	}
	if p := start(t, []string{"audit", "-x"}); p.exit() != exitUsage || strings.Contains(p.out.String(), "did you mean") {
		t.Error("something was meant that is not near")
	}
}

func TestFlagsAreTakenWithOneDashOrTwoAndBehindOtherWords(t *testing.T) {
	t.Parallel()
	broker := carried(t)
	for _, args := range [][]string{{"c0", "-key", "k0"}, {"c0", "--key", "k0"}, {"--key=k0", "c0"}, {"-key=k0", "--", "c0"}} {
		if got := explained(t, broker, args...); len(got) == 0 {
			t.Errorf("%q: nothing", args)
		}
	}
}

func TestToolsNeedTheSettingsOfKafkaAlone(t *testing.T) {
	t.Parallel()
	broker := "SMSBRIDGE_KAFKA_BROKERS=" + carried(t)
	for _, args := range []string{
		"explain c0", "explain -to 13800000000", "audit", "redrive -status failed", "pause", "resume", "cancel -id none",
		"journal status", "topics", "config", "version",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			if code := bare(t, strings.Fields(args), broker).exit(); code != exitStopped {
				t.Errorf("exit code %d", code)
			}
		})
	}
	for _, args := range []string{"run", "check"} {
		if p := bare(t, []string{args}, broker); p.exit() != exitUsage || !strings.Contains(p.out.String(), "SMSBRIDGE_PROVIDER_URL is required") {
			t.Errorf("%s is content without a provider", args)
		}
	}
	for setting, want := range map[string]int{
		"SMSBRIDGE_KAFKA_BROKER=x":               exitUsage, // nobody knows it
		"SMSBRIDGE_SERVICE_HOST=10.0.0.1":        exitStopped,
		"SMSBRIDGE_KAFKA_SESSION_TIMEOUT=1s":     exitUsage,
		"SMSBRIDGE_PROVIDER_PASSWORD_FILE=/none": exitStopped,
	} {
		if code := bare(t, []string{"explain", "c0"}, broker, setting).exit(); code != want {
			t.Errorf("%s: exit code %d, want %d", setting, code, want)
		}
	}
}

func TestShellsCompleteCommandsFlagsAndChoices(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"exp":                 "explain",
		"journal a":           "adopt accept-loss",
		"help j":              "journal",
		"completion ":         "bash fish zsh help -h",
		"pause -class ":       "otp notice marketing",
		"explain -s":          "-show-numbers -since",
		"explain c0 --m":      "--metadata",
		"explain -key ":       "",
		"explain -json -unti": "-until",
	} {
		words := strings.Split(typed, " ")
		var out, fault strings.Builder
		if code := dispatch(append([]string{completeWord}, words...), &out, &fault); code != exitStopped || strings.Join(strings.Fields(out.String()), " ") != want {
			t.Errorf("%q: exit code %d, %q, want %q", typed, code, out.String(), want)
		}
	}
}

// The other shells are not on every machine; bash is.
func TestBashCompletesByWhatCompletionPrints(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash here")
	}
	var script, none strings.Builder
	dispatch([]string{"completion", "bash"}, &script, &none)
	program := start(t, []string{"version"}) // for its environment and path
	program.exit()
	cmd := exec.CommandContext(t.Context(), bash, "-c", script.String()+`
COMP_WORDS=("$0" explain -si) COMP_CWORD=2; _smsbridge; echo "${COMPREPLY[@]}"`, program.cmd.Path)
	cmd.Env = program.cmd.Env
	out, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "-since" {
		t.Errorf("%v: %q", err, out)
	}
	for _, shell := range []string{"zsh", "fish"} {
		if p := start(t, []string{"completion", shell}); p.exit() != exitStopped || !strings.Contains(p.out.String(), completeWord) {
			t.Errorf("%s has no completion", shell)
		}
	}
}
