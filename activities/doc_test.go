package activities

import _ "github.com/stretchr/testify/require"
