package activities

import (
	_ "go.temporal.io/api/enums/v1"
	_ "go.temporal.io/sdk/activity"
)
