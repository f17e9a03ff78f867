package main

import (
	"context"
	"flag"
	"fmt"
	"runtime/debug"
)

// release is set by the linker (-X main.release=v1.2.3) when a release is built.
var release = "development"

func versionCommand() *command {
	return &command{
		name: "version", brief: "print the version", long: "Prints the release, the commit it was built from, and the Go release that built it.",
		flags: func(*flag.FlagSet) action {
			return func(_ context.Context, _ []string, s streams) error {
				_, err := fmt.Fprintln(s.out, version())
				return err
			}
		},
	}
}

// version names the release, the commit it was built from and the Go release.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return release
	}
	commit := ""
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			commit = " " + s.Value
		}
	}
	return fmt.Sprintf("smsbridge %s%s %s", release, commit, info.GoVersion)
}
