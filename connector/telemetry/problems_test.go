package telemetry

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestProblemsAreTheLatestWarningsAndErrorsWithoutWhatNamesACommand(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	problems := &Problems{}
	log := problems.Over(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelError})))
	log.Info("started")
	log.Warn("kafka is slow", "command_id", "13800000000", "partition", 3)
	log.With("topic", "t").Error("kafka is away", "error", errors.New("refused"))
	log.Warn("kafka is slow", "command_id", "other", "partition", 3)

	got := problems.Latest()
	if len(got) != 2 || got[0].Text != "kafka is slow; partition 3" || got[0].Times != 2 || got[0].Level != "warn" ||
		got[1].Text != "kafka is away; error refused" || got[1].Level != "error" {
		t.Errorf("%+v", got)
	}
	if strings.Count(out.String(), "\n") != 1 || !strings.Contains(out.String(), "away") {
		t.Errorf("the log's own level is its own: %s", out.String())
	}
}

func TestProblemsAreBounded(t *testing.T) {
	t.Parallel()
	problems := &Problems{}
	log := problems.Over(quiet())
	for i := range 10 * mostProblems {
		log.Error("x", "error", fmt.Errorf("%d%s", i, strings.Repeat("长", mostOfProblem)))
	}
	got := problems.Latest()
	if len(got) != mostProblems || len(got[0].Text) > mostOfProblem+len("…") || !strings.HasPrefix(got[0].Text, "x; error 119长") {
		t.Errorf("%d, %+v", len(got), got[0])
	}
}
