package main

import (
	"fmt"
	"runtime/debug"
)

// release is set by the linker (-X main.release=v1.2.3) when a release is built.
var release = "development"

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
