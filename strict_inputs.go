package asteroid

// The inputs of the activities decode strictly, and their Validate reports what is wrong. Decoding
// itself never fails: the server would retry it without end. A type with these methods must not be
// embedded in another one, whose own members JSON would then leave out.

// UnmarshalJSON never fails for JSON. Validate reports a member that is unknown or mistyped.
func (in *StageFilesInput) UnmarshalJSON(data []byte) error {
	in.decoded = decodeInput(data, in)
	return nil
}

// MarshalJSON keeps what UnmarshalJSON could not decode, for the activity to judge.
func (in StageFilesInput) MarshalJSON() ([]byte, error) {
	type plain StageFilesInput
	return in.decoded.encode(plain(in))
}

// UnmarshalJSON never fails for JSON. Validate reports a member that is unknown or mistyped.
func (in *ExecuteAgentInput) UnmarshalJSON(data []byte) error {
	in.Internal.decoded = decodeInput(data, in)
	return nil
}

// MarshalJSON keeps what UnmarshalJSON could not decode, for the activity to judge.
func (in ExecuteAgentInput) MarshalJSON() ([]byte, error) {
	type plain ExecuteAgentInput
	return in.Internal.decoded.encode(plain(in))
}

// UnmarshalJSON never fails for JSON. Validate reports a member that is unknown or mistyped.
func (in *AwaitExecutionInput) UnmarshalJSON(data []byte) error {
	in.Internal.decoded = decodeInput(data, in)
	return nil
}

// MarshalJSON keeps what UnmarshalJSON could not decode, for the activity to judge.
func (in AwaitExecutionInput) MarshalJSON() ([]byte, error) {
	type plain AwaitExecutionInput
	return in.Internal.decoded.encode(plain(in))
}

// UnmarshalJSON never fails for JSON. Validate reports a member that is unknown or mistyped.
func (in *GetExecutionInput) UnmarshalJSON(data []byte) error {
	in.decoded = decodeInput(data, in)
	return nil
}

// MarshalJSON keeps what UnmarshalJSON could not decode, for the activity to judge.
func (in GetExecutionInput) MarshalJSON() ([]byte, error) {
	type plain GetExecutionInput
	return in.decoded.encode(plain(in))
}

// UnmarshalJSON never fails for JSON. Validate reports a member that is unknown or mistyped.
func (in *SetExecutionStatusInput) UnmarshalJSON(data []byte) error {
	in.decoded = decodeInput(data, in)
	return nil
}

// MarshalJSON keeps what UnmarshalJSON could not decode, for the activity to judge.
func (in SetExecutionStatusInput) MarshalJSON() ([]byte, error) {
	type plain SetExecutionStatusInput
	return in.decoded.encode(plain(in))
}

// UnmarshalJSON never fails for JSON. Validate reports a member that is unknown or mistyped.
func (in *SendMessageInput) UnmarshalJSON(data []byte) error {
	in.decoded = decodeInput(data, in)
	return nil
}

// MarshalJSON keeps what UnmarshalJSON could not decode, for the activity to judge.
func (in SendMessageInput) MarshalJSON() ([]byte, error) {
	type plain SendMessageInput
	return in.decoded.encode(plain(in))
}

// UnmarshalJSON never fails for JSON. Validate reports a member that is unknown or mistyped.
func (in *SweepDuplicatesInput) UnmarshalJSON(data []byte) error {
	in.decoded = decodeInput(data, in)
	return nil
}

// MarshalJSON keeps what UnmarshalJSON could not decode, for the activity to judge.
func (in SweepDuplicatesInput) MarshalJSON() ([]byte, error) {
	type plain SweepDuplicatesInput
	return in.decoded.encode(plain(in))
}

// UnmarshalJSON never fails for JSON. Validate reports a member that is unknown or mistyped.
func (in *CheckUploadsInput) UnmarshalJSON(data []byte) error {
	in.decoded = decodeInput(data, in)
	return nil
}

// MarshalJSON keeps what UnmarshalJSON could not decode, for the activity to judge.
func (in CheckUploadsInput) MarshalJSON() ([]byte, error) {
	type plain CheckUploadsInput
	return in.decoded.encode(plain(in))
}

// UnmarshalJSON never fails for JSON. Validate reports a member that is unknown or mistyped.
func (in *AttachFilesInput) UnmarshalJSON(data []byte) error {
	in.decoded = decodeInput(data, in)
	return nil
}

// MarshalJSON keeps what UnmarshalJSON could not decode, for the activity to judge.
func (in AttachFilesInput) MarshalJSON() ([]byte, error) {
	type plain AttachFilesInput
	return in.decoded.encode(plain(in))
}

// UnmarshalJSON never fails for JSON. Validate reports a member that is unknown or mistyped.
func (in *ListFilesInput) UnmarshalJSON(data []byte) error {
	in.decoded = decodeInput(data, in)
	return nil
}

// MarshalJSON keeps what UnmarshalJSON could not decode, for the activity to judge.
func (in ListFilesInput) MarshalJSON() ([]byte, error) {
	type plain ListFilesInput
	return in.decoded.encode(plain(in))
}

// UnmarshalJSON never fails for JSON. Validate reports a member that is unknown or mistyped.
func (in *SaveFilesInput) UnmarshalJSON(data []byte) error {
	in.decoded = decodeInput(data, in)
	return nil
}

// MarshalJSON keeps what UnmarshalJSON could not decode, for the activity to judge.
func (in SaveFilesInput) MarshalJSON() ([]byte, error) {
	type plain SaveFilesInput
	return in.decoded.encode(plain(in))
}

// UnmarshalJSON never fails for JSON. Validate reports a member that is unknown or mistyped.
func (in *CheckDestinationInput) UnmarshalJSON(data []byte) error {
	in.decoded = decodeInput(data, in)
	return nil
}

// MarshalJSON keeps what UnmarshalJSON could not decode, for the activity to judge.
func (in CheckDestinationInput) MarshalJSON() ([]byte, error) {
	type plain CheckDestinationInput
	return in.decoded.encode(plain(in))
}

// UnmarshalJSON never fails for JSON. Validate reports a member that is unknown or mistyped.
func (in *WatchExecutionsInput) UnmarshalJSON(data []byte) error {
	in.decoded = decodeInput(data, in)
	return nil
}

// MarshalJSON keeps what UnmarshalJSON could not decode, for the activity to judge.
func (in WatchExecutionsInput) MarshalJSON() ([]byte, error) {
	type plain WatchExecutionsInput
	return in.decoded.encode(plain(in))
}

// UnmarshalJSON never fails for JSON. Validate reports a member that is unknown or mistyped.
func (in *DescribeAgentInput) UnmarshalJSON(data []byte) error {
	in.decoded = decodeInput(data, in)
	return nil
}

// MarshalJSON keeps what UnmarshalJSON could not decode, for the activity to judge.
func (in DescribeAgentInput) MarshalJSON() ([]byte, error) {
	type plain DescribeAgentInput
	return in.decoded.encode(plain(in))
}

// UnmarshalJSON never fails for JSON. Validate reports a member that is unknown or mistyped.
func (in *CheckResultInput) UnmarshalJSON(data []byte) error {
	in.decoded = decodeInput(data, in)
	return nil
}

// MarshalJSON keeps what UnmarshalJSON could not decode, for the activity to judge.
func (in CheckResultInput) MarshalJSON() ([]byte, error) {
	type plain CheckResultInput
	return in.decoded.encode(plain(in))
}

// UnmarshalJSON never fails for JSON. Validate reports a member that is unknown or mistyped.
func (in *ListAgentsInput) UnmarshalJSON(data []byte) error {
	in.decoded = decodeInput(data, in)
	return nil
}

// MarshalJSON keeps what UnmarshalJSON could not decode, for the activity to judge.
func (in ListAgentsInput) MarshalJSON() ([]byte, error) {
	type plain ListAgentsInput
	return in.decoded.encode(plain(in))
}

// UnmarshalJSON never fails for JSON. Validate reports a member that is unknown or mistyped.
func (in *PlanBatchInput) UnmarshalJSON(data []byte) error {
	in.decoded = decodeInput(data, in)
	return nil
}

// MarshalJSON keeps what UnmarshalJSON could not decode, for the activity to judge.
func (in PlanBatchInput) MarshalJSON() ([]byte, error) {
	type plain PlanBatchInput
	return in.decoded.encode(plain(in))
}

// UnmarshalJSON never fails for JSON. Validate reports a member that is unknown or mistyped.
func (in *ReadBatchRowsInput) UnmarshalJSON(data []byte) error {
	in.decoded = decodeInput(data, in)
	return nil
}

// MarshalJSON keeps what UnmarshalJSON could not decode, for the activity to judge.
func (in ReadBatchRowsInput) MarshalJSON() ([]byte, error) {
	type plain ReadBatchRowsInput
	return in.decoded.encode(plain(in))
}

// UnmarshalJSON never fails for JSON. Validate reports a member that is unknown or mistyped.
func (in *WriteBatchPartInput) UnmarshalJSON(data []byte) error {
	in.decoded = decodeInput(data, in)
	return nil
}

// MarshalJSON keeps what UnmarshalJSON could not decode, for the activity to judge.
func (in WriteBatchPartInput) MarshalJSON() ([]byte, error) {
	type plain WriteBatchPartInput
	return in.decoded.encode(plain(in))
}

// UnmarshalJSON never fails for JSON. Validate reports a member that is unknown or mistyped.
func (in *JoinBatchPartsInput) UnmarshalJSON(data []byte) error {
	in.decoded = decodeInput(data, in)
	return nil
}

// MarshalJSON keeps what UnmarshalJSON could not decode, for the activity to judge.
func (in JoinBatchPartsInput) MarshalJSON() ([]byte, error) {
	type plain JoinBatchPartsInput
	return in.decoded.encode(plain(in))
}

// UnmarshalJSON never fails for JSON. Validate reports a member that is unknown or mistyped.
func (in *FollowWorkflowInput) UnmarshalJSON(data []byte) error {
	in.decoded = decodeInput(data, in)
	return nil
}

// MarshalJSON keeps what UnmarshalJSON could not decode, for the activity to judge.
func (in FollowWorkflowInput) MarshalJSON() ([]byte, error) {
	type plain FollowWorkflowInput
	return in.decoded.encode(plain(in))
}

// UnmarshalJSON never fails for JSON. Validate reports a member that is unknown or mistyped.
func (in *AcquirePermitInput) UnmarshalJSON(data []byte) error {
	in.decoded = decodeInput(data, in)
	return nil
}

// MarshalJSON keeps what UnmarshalJSON could not decode, for the activity to judge.
func (in AcquirePermitInput) MarshalJSON() ([]byte, error) {
	type plain AcquirePermitInput
	return in.decoded.encode(plain(in))
}

// UnmarshalJSON never fails for JSON. Validate reports a member that is unknown or mistyped.
func (in *CheckPermitHoldersInput) UnmarshalJSON(data []byte) error {
	in.decoded = decodeInput(data, in)
	return nil
}

// MarshalJSON keeps what UnmarshalJSON could not decode, for the activity to judge.
func (in CheckPermitHoldersInput) MarshalJSON() ([]byte, error) {
	type plain CheckPermitHoldersInput
	return in.decoded.encode(plain(in))
}
