package asteroid_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
)

func TestProfileHasOneLimitHoweverItsIDIsSpelled(t *testing.T) {
	t.Parallel()
	require.Equal(t, asteroid.ProfileLimitKey("7d0f"), asteroid.ProfileLimitKey("7D0F"))
}

func TestLimitsOfTheWorkerDoNotCountAgainstTheInput(t *testing.T) {
	t.Parallel()
	var limits []asteroid.Limit
	for i := range 10 {
		limits = append(limits, asteroid.Limit{Key: fmt.Sprint(i)})
	}
	all := asteroid.RunLimits{PerProfile: 1}.Of("p", limits)
	require.Len(t, all, 11)
	in := asteroid.AcquirePermitInput{Limits: limits}
	require.NoError(t, in.Validate())
	in = asteroid.AcquirePermitInput{Limits: all, Take: 10}
	require.NoError(t, in.Validate())
	in.Take = 0
	require.True(t, asteroid.IsInvalidInput(in.Validate()))
}
