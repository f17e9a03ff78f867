package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEveryMutantFitsTheCodeAsItIs(t *testing.T) {
	t.Parallel()
	for _, m := range mutants {
		broken := map[string]string{}
		for _, e := range m.edits {
			if broken[e.file] == "" {
				content, err := os.ReadFile(filepath.Join("..", "..", e.file))
				if err != nil {
					t.Fatal(err)
				}
				broken[e.file] = string(content)
			}
			if n := strings.Count(broken[e.file], e.old); n != 1 {
				t.Errorf("%s: what it replaces in %s stands there %d times", m.name, e.file, n)
			}
			broken[e.file] = strings.Replace(broken[e.file], e.old, e.with, 1)
		}
	}
}
