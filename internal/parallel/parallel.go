// Package parallel calls a function many times, some calls at a time, and waits for all of them:
//
//	err := parallel.Each(ctx, 16, len(ids), func(ctx context.Context, i int) error {
//		return fetch(ctx, ids[i])
//	})
package parallel

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// Each calls do for 0 to n-1, at most limit calls at a time, and waits for them. The first error
// cancels the context of the other calls, skips those that have not begun, and is returned. A panic
// of do becomes a panic of the caller, where it fails the activity instead of the process.
func Each(ctx context.Context, limit, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	var panicked atomic.Pointer[string]
	slots := make(chan struct{}, limit)
	for i := range n {
		slots <- struct{}{}
		group.Go(func() {
			defer func() {
				if reason := recover(); reason != nil {
					panicked.Store(new(fmt.Sprintf("%v\n%s", reason, debug.Stack())))
					cancel(nil)
				}
				<-slots
			}()
			if ctx.Err() != nil {
				return
			}
			if err := do(ctx, i); err != nil {
				cancel(err)
			}
		})
	}
	group.Wait()
	if reason := panicked.Load(); reason != nil {
		panic(*reason)
	}
	return context.Cause(ctx)
}

// Sleep waits for d. It returns false when ctx ends first.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
