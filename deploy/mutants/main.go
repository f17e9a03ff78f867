// Mutants tests the tests: it breaks the guarantee in one way after the other,
// each in a private copy of the tree, and runs the tests that must notice. It
// ends with 1 if a mutant survives, no longer fits the code or does not compile.
//
// Run it from the root of the tree; an argument is a regular expression of the
// names of the mutants to run.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	wanted := "."
	if len(os.Args) > 1 {
		wanted = os.Args[1]
	}
	if err := run(ctx, os.Stdout, wanted); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		stop()
		os.Exit(1) //nolint:gocritic // the deferred stop was called
	}
}

var errSurvived = errors.New("a mutant survived")

func run(ctx context.Context, out io.Writer, wanted string) error {
	names, err := regexp.Compile(wanted)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	if err := copyTree(ctx, dir); err != nil {
		return err
	}
	var chosen []mutant
	for _, m := range mutants {
		if names.MatchString(m.name) {
			chosen = append(chosen, m)
		}
	}
	if err := mustPass(ctx, dir, chosen); err != nil {
		return err
	}
	survived := 0
	for _, m := range chosen {
		began := time.Now()
		verdict, caught, err := m.try(ctx, dir)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if !caught {
			survived++
		}
		fmt.Fprintf(out, "%-45s %-75s %6v\n", m.name, verdict, time.Since(began).Round(time.Second))
	}
	fmt.Fprintf(out, "%d mutants, %d survived\n", len(chosen), survived)
	if survived > 0 {
		return errSurvived
	}
	return nil
}

// copyTree copies what belongs to the project: the work goes on in it meanwhile.
func copyTree(ctx context.Context, dir string) error {
	list, err := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		return fmt.Errorf("list the files of the tree: %w", err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(list), "\x00"), "\x00") {
		content, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) { // deleted, and that is not committed yet
			continue
		}
		if err != nil {
			return err
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(to, content, 0o600); err != nil { //nolint:gosec // the names are git's
			return err
		}
	}
	return nil
}

// mustPass runs the tests without any mutant: one that fails anyway catches
// nothing.
func mustPass(ctx context.Context, dir string, chosen []mutant) error {
	seen := map[guard]bool{}
	for _, m := range chosen {
		if seen[m.by] {
			continue
		}
		seen[m.by] = true
		if output, err := m.by.run(ctx, dir); err != nil {
			return fmt.Errorf("%s: %s fails without any mutant: %w\n%s", m.by.folder, m.by.tests, err, output)
		}
	}
	return nil
}

// mutant is one way to break the guarantee.
type mutant struct {
	name  string
	edits []edit
	by    guard // what must notice
}

// edit replaces a text that stands in a file exactly once.
type edit struct{ file, old, with string }

// guard is some tests of one folder.
type guard struct {
	folder string
	tests  string // regular expression of their names
	flags  string // of the tests; may be empty
}

// try applies the mutant, runs its tests and takes it back.
func (m *mutant) try(ctx context.Context, dir string) (verdict string, caught bool, err error) {
	for _, e := range m.edits {
		restore, err := e.apply(dir)
		if err != nil {
			return "", false, err
		}
		defer restore()
	}
	output, err := m.by.run(ctx, dir)
	switch {
	case ctx.Err() != nil:
		return "", false, context.Cause(ctx)
	case err == nil:
		return "SURVIVED " + m.by.tests, false, nil
	case strings.Contains(output, "[build failed]"), strings.Contains(output, "[setup failed]"):
		return "", false, fmt.Errorf("does not compile:\n%s", output)
	}
	failed := firstFailed.FindStringSubmatch(output)
	if failed == nil {
		return "", false, fmt.Errorf("no test failed, but the run did: %w\n%s", err, output)
	}
	return "caught by " + failed[1], true, nil
}

func (e edit) apply(dir string) (restore func(), err error) {
	name := filepath.Join(dir, e.file)
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if n := strings.Count(string(content), e.old); n != 1 {
		return nil, fmt.Errorf("%s has changed: the text to be replaced stands in it %d times:\n%s", e.file, n, e.old)
	}
	broken := strings.Replace(string(content), e.old, e.with, 1)
	if err := os.WriteFile(name, []byte(broken), 0o600); err != nil { //nolint:gosec // the names are those of the list
		return nil, err
	}
	return func() {
		if err := os.WriteFile(name, content, 0o600); err != nil { //nolint:gosec // as above
			panic(err) // every mutant that follows would be two
		}
	}, nil
}

// A test that hangs, or takes the process down, is named by the runtime.
var firstFailed = regexp.MustCompile(`(?:--- FAIL: |running tests:\s+)(\S+)`)

// atMost bounds one run of tests.
const atMost = time.Minute

func (g guard) run(ctx context.Context, dir string) (output string, err error) {
	args := []string{"test", "-count=1", "-failfast", "-timeout", atMost.String(), "-run", g.tests, "./" + g.folder}
	args = append(args, strings.Fields(g.flags)...)
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // the arguments are those of the list
	cmd.Dir = dir
	bytes, err := cmd.CombinedOutput()
	if err == nil && strings.Contains(string(bytes), "no tests to run") {
		err = errors.New("there is no such test")
	}
	return string(bytes), err
}
