package parallel

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// eachOf is each with a number at a time of its own.
func Each(ctx context.Context, most, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	var panicked atomic.Pointer[string]
	places := make(chan struct{}, most)
	for i := range n {
		places <- struct{}{}
		group.Go(func() {
			defer func() {
				if reason := recover(); reason != nil {
					panicked.Store(new(fmt.Sprintf("%v\n%s", reason, debug.Stack())))
					cancel(nil)
				}
				<-places
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

// pause waits, unless the context ends first.
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
