//go:build unix

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"flowvet/live"
)

// orders turns signals into orders: SIGUSR1 asks for a report, SIGHUP for a reload. An order that nobody has taken yet
// stands for those that come meanwhile.
func orders(ctx context.Context) <-chan live.Order {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGHUP)
	context.AfterFunc(ctx, func() { signal.Stop(signals) })
	taken := make(chan live.Order)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case s := <-signals:
				order := live.ReportNow
				if s == syscall.SIGHUP {
					order = live.Reload
				}
				select {
				case taken <- order:
				case <-ctx.Done():
				}
			}
		}
	}()
	return taken
}
