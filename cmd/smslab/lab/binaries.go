package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Binaries are the programs of a lab.
type Binaries struct {
	Bridge string // smsbridge
	Lab    string // smslab, this program
}

// FindBinaries takes the smsbridge beside this program, as make build puts it, or
// builds it into dir, which go run needs.
func FindBinaries(ctx context.Context, dir string) (Binaries, error) {
	self, err := os.Executable()
	if err != nil {
		return Binaries{}, err
	}
	bridge := filepath.Join(filepath.Dir(self), "smsbridge")
	if info, err := os.Stat(bridge); err == nil && !info.IsDir() {
		return Binaries{Bridge: bridge, Lab: self}, nil
	}
	bridge = filepath.Join(dir, "smsbridge")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", bridge, "smsbridge/cmd/smsbridge").CombinedOutput() //nolint:gosec // the variable is our own folder
	if err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return Binaries{}, errors.New("no smsbridge beside smslab, and no go to build it: run make build")
		}
		return Binaries{}, fmt.Errorf("build smsbridge: %w\n%s", err, out)
	}
	return Binaries{Bridge: bridge, Lab: self}, nil
}
