//go:build !linux

package lab

import (
	"errors"
	"syscall"
	"time"
)

func attributes() *syscall.SysProcAttr { return nil }

// Freeze is for Linux alone.
func (p *Process) Freeze() error { return errors.ErrUnsupported }

// Thaw is for Linux alone.
func (p *Process) Thaw() error { return errors.ErrUnsupported }

// CPU is for Linux alone.
func (p *Process) CPU() (time.Duration, error) { return 0, errors.ErrUnsupported }

// Resident is for Linux alone.
func (p *Process) Resident() (int64, error) { return 0, errors.ErrUnsupported }
