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
	in := asteroid.AcquirePermitInput{Token: "token", Limits: limits}
	require.NoError(t, in.Validate())
	in.Limits = all
	require.True(t, asteroid.IsInvalidInput(in.Validate()))
	in.Repeated = true
	require.NoError(t, in.Validate(), "a run that has waited for the first of them asks again")
}

func TestPermitRequestsThatNoLimiterCouldServeAreRefused(t *testing.T) {
	t.Parallel()
	for field, in := range map[string]asteroid.AcquirePermitInput{
		"take":          {Token: "token", Take: -1},
		"token":         {},
		"limits[0].key": {Token: "token", Limits: []asteroid.Limit{{Key: "login\xff"}}},
	} {
		err := in.Validate()
		require.True(t, asteroid.IsInvalidInput(err), field)
		require.ErrorContains(t, err, field)
	}
}
