//go:build unix

package main

import (
	"os/signal"
	"syscall"
)

// keepWriteErrors turns the signals of a closed pipe and of a file over its size limit into the errors of the writes
// that met them: status 5 with a reason, where the process would die without a word.
func keepWriteErrors() { signal.Ignore(syscall.SIGPIPE, syscall.SIGXFSZ) }
