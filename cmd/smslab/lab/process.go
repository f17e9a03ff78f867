package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Process is a program that the lab runs.
type Process struct {
	Name  string
	Log   string // path of the file that has its output
	cmd   *exec.Cmd
	done  chan struct{} // closed when it has ended; err is set before
	err   error
	asked atomic.Bool
}

// Program says what to run.
type Program struct {
	Name string // unique in the lab; names the log
	Path string
	Args []string
	Env  []string
	Dir  string // of the log
}

// Run starts a program. Its output is appended to its log.
func Run(p Program) (*Process, error) {
	path := p.Dir + "/" + p.Name + ".log"
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // the child has its own descriptor
	return start(p, path, log, log)
}

// Serve starts a program whose first line of output ends in "listening on ADDRESS"
// and returns that address.
func Serve(ctx context.Context, p Program) (*Process, string, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, "", err
	}
	defer r.Close() //nolint:errcheck // nothing more is read
	path := p.Dir + "/" + p.Name + ".log"
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		w.Close() //nolint:errcheck // never used
		return nil, "", err
	}
	defer log.Close() //nolint:errcheck // the child has its own descriptor
	process, err := start(p, path, w, log)
	w.Close() //nolint:errcheck // the child has its own descriptor
	if err != nil {
		return nil, "", err
	}
	defer context.AfterFunc(ctx, func() { r.SetReadDeadline(time.Now()) })() //nolint:errcheck // then it ends by itself
	line, err := bufio.NewReader(r).ReadString('\n')
	_, address, found := strings.Cut(strings.TrimSpace(line), "listening on ")
	if err != nil || !found {
		process.Kill()
		return nil, "", fmt.Errorf("%s did not say where it listens: %w", p.Name, process.complaint())
	}
	return process, address, nil
}

func start(p Program, path string, stdout, stderr *os.File) (*Process, error) {
	cmd := exec.Command(p.Path, p.Args...) //nolint:noctx,gosec // it runs our own programs and ends them in its own order, see Stop and Kill
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = p.Env, stdout, stderr, attributes()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", p.Name, err)
	}
	process := &Process{Name: p.Name, Log: path, cmd: cmd, done: make(chan struct{})}
	go func() {
		process.err = cmd.Wait()
		close(process.done)
	}()
	return process, nil
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Unasked returns how the process ended when nobody had asked it to; nil while it
// lives.
func (p *Process) Unasked() error {
	select {
	case <-p.done:
	default:
		return nil
	}
	if p.asked.Load() {
		return nil
	}
	return p.complaint()
}

// complaint is how the process ended, with the last line that it wrote.
func (p *Process) complaint() error {
	<-p.done
	err := p.err
	if err == nil {
		err = errors.New("exit status 0")
	}
	if last := lastLine(p.Log); last != "" {
		err = fmt.Errorf("%w: %s", err, last)
	}
	return fmt.Errorf("%s ended: %w", p.Name, err)
}

// Kill ends the process at once, as kill -9 does.
func (p *Process) Kill() {
	p.asked.Store(true)
	p.cmd.Process.Kill() //nolint:errcheck // it has ended already
	<-p.done
}

// Stop asks the process to end, as an orchestrator does, and kills it after grace.
func (p *Process) Stop(grace time.Duration) error {
	p.asked.Store(true)
	p.cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it has ended already
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.Kill()
		return fmt.Errorf("%s did not stop within %v", p.Name, grace)
	}
	if p.err != nil {
		return p.complaint()
	}
	return nil
}

func lastLine(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()                                     //nolint:errcheck // only read
	if size, err := f.Seek(0, io.SeekEnd); err == nil { // the end is enough
		f.Seek(max(0, size-4096), io.SeekStart) //nolint:errcheck // then the whole file is read
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}
