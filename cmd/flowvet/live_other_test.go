//go:build !linux

package main

// liveCommands are what the tests of live run beside flowvet.
func liveCommands() map[string]func() { return nil }
