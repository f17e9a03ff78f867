package deploy

import (
	"os/exec"
	"strings"
	"testing"
)

// What goes into the program must be known with its licence; make licenses
// writes the list anew.
func TestTheLicenceOfEveryModuleInTheProgramIsListedAndPermissive(t *testing.T) {
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", "../cmd/smsbridge")
	list.Env = append(list.Environ(), "CGO_ENABLED=0")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	var packages []string
	for line := range strings.Lines(string(read(t, "licenses.csv"))) {
		name, licence, _ := strings.Cut(strings.TrimSpace(line), ",")
		switch licence {
		case "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT":
		default:
			t.Errorf("%s has the licence %q", name, licence)
		}
		packages = append(packages, name)
	}
	seen := map[string]bool{}
	for module := range strings.FieldsSeq(string(out)) {
		if seen[module] {
			continue
		}
		seen[module] = true
		listed := false
		for _, p := range packages {
			listed = listed || p == module || strings.HasPrefix(p, module+"/")
		}
		if !listed {
			t.Errorf("%s is not listed", module)
		}
	}
	if len(seen) == 0 {
		t.Error("the program has no modules")
	}
}
