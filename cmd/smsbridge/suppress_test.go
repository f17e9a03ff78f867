package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

// runTool runs smsbridge as a tool, with these settings alone and that standard
// input, and returns all that it printed and its exit code.
func runTool(t *testing.T, stdin string, settings []string, args ...string) (printed string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append([]string{asProgram + "=1", "PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir()}, settings...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func TestNumbersAreSuppressedListedAndLiftedByOperators(t *testing.T) {
	t.Parallel()
	broker := newBroker(t, kfake.SeedTopics(3, topics...))
	settings := []string{"SMSBRIDGE_KAFKA_BROKERS=" + broker, "SMSBRIDGE_NUMBER_HASH_KEY=a key that is long enough"}
	run := func(stdin string, args ...string) (string, int) {
		t.Helper()
		return runTool(t, stdin, settings, args...)
	}
	if out, code := run("", "suppress", "add", "-class", "marketing", "-by", "ann", "-reason", "asked by letter", "13800000001", "+8613800000002"); code != 0 || !strings.Contains(out, "2 numbers") {
		t.Fatalf("%d: %s", code, out)
	}
	if out, code := run("13800000003\n\n13800000004\n", "suppress", "import", "-class", "notice"); code != 0 || !strings.Contains(out, "2 numbers") {
		t.Fatalf("%d: %s", code, out)
	}
	out, code := run("", "suppress", "list")
	if code != 0 || strings.Count(out, "\n") != 4 || strings.Contains(out, "1380000") || !strings.Contains(out, `"asked by letter"`) {
		t.Errorf("%d: %s", code, out)
	}
	if out, code := run("", "suppress", "list", "-class", "marketing", "13800000002", "13800000003"); code != 0 || strings.Count(out, "\n") != 1 {
		t.Errorf("%d: %s", code, out)
	}
	if out, code := run("", "suppress", "remove", "-class", "marketing", "13800000002"); code != 0 {
		t.Errorf("%d: %s", code, out)
	}
	if out, _ := run("", "suppress", "list", "-class", "marketing"); strings.Count(out, "\n") != 1 {
		t.Errorf("after the removal: %s", out)
	}
	if out, code := runTool(t, "", []string{settings[0], "SMSBRIDGE_NUMBER_HASH_KEY=another key, long enough"}, "suppress", "add", "-class", "otp", "13800000005"); code != exitFailed || !strings.Contains(out, "NUMBER_HASH_KEY") {
		t.Errorf("under another key: %d: %s", code, out)
	}
}

func TestSuppressSaysWhatIsWrongAndNeverTheNumber(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stdin string
		args  []string
		want  string
	}{
		"no class":          {"", []string{"add", "13800000001"}, "-class is needed"},
		"an unknown class":  {"", []string{"add", "-class", "spam", "13800000001"}, "otp, notice, marketing"},
		"no number":         {"", []string{"add", "-class", "otp"}, "no number is given"},
		"not a number":      {"", []string{"add", "-class", "otp", "13800000001", "99999"}, "argument 2 is no phone number"},
		"a line that is no": {"13800000001\nhello\n", []string{"import", "-class", "otp"}, "line 2 is no phone number"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, code := runTool(t, c.stdin, []string{"SMSBRIDGE_KAFKA_BROKERS=127.0.0.1:1"}, append([]string{"suppress"}, c.args...)...)
			if code != exitUsage || !strings.Contains(out, c.want) || strings.Contains(out, "99999") || strings.Contains(out, "1380000") {
				t.Errorf("%d: %s", code, out)
			}
		})
	}
}
