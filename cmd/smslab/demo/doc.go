// Package demo shows the main job: real commands go through a broker, a connector
// and the simulated provider, each a process of its own; every output is shown
// as it comes; and in the end everything that went in is found again, or the demo
// fails.
package demo
