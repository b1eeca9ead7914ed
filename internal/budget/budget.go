// Package budget declares in bytes how much of what comes from outside enters Temporal: an agent's
// result, the service's texts, a user's inputs. Each budget stays below a limit of Temporal, beyond
// which a task fails again and again, or loses what it carries. Package bound enforces the budgets
// of the contract's types.
package budget

// The limits are those of a Temporal server with its default settings.
const (
	// PayloadLimit is the largest input, result or query result (limit.blobSize.error).
	// PayloadWarning is the size at which SDK and server begin to warn (limit.blobSize.warn).
	PayloadLimit   = 2 << 20
	PayloadWarning = 512 << 10
	// MessageLimit is the largest gRPC message, such as all commands of one workflow task.
	MessageLimit = 4 << 20
	// FailureLimit is the largest failure of an activity that is retried. The server drops the
	// details of a larger one.
	FailureLimit = 4 << 10
	// KeywordLimit is the largest value of a search attribute.
	KeywordLimit = 2 << 10
	// SummaryLimit and DetailsLimit are the largest summary and details of user metadata.
	SummaryLimit = 400
	DetailsLimit = 20_000
)

// Results and lists. A result of RunAgent holds one inline result and two lists of files, so all
// three together stay below PayloadLimit.
const (
	// InlineResult is the default for the largest result of an agent that enters history, as
	// history encodes it. Each result enters two or three times. MaxInlineResult bounds the option.
	InlineResult    = PayloadWarning / 2
	MaxInlineResult = PayloadLimit / 2
	// ResultLevels is how deeply an inline result may be nested. encoding/json refuses 10,000
	// levels, those around the result included.
	ResultLevels = 1000
	// InputResult is the largest result that a Pipeline passes to the next agent as an input.
	InputResult = 64 << 10
	// WorkflowResult bounds the result of RunAgent and Pipeline.
	WorkflowResult = PayloadLimit * 9 / 10
	// FileList bounds a list of files.
	FileList = 384 << 10
	// Manifest bounds the list of a manifest's files, which stays out of history.
	Manifest = 16 << 20
	// Heartbeat bounds the progress of an activity that moves files.
	Heartbeat = PayloadLimit / 2
	// State bounds the answer of the state query.
	State = PayloadLimit / 2
	// ActivityResult bounds any result of an activity, as the last net.
	ActivityResult = PayloadLimit * 9 / 10
)

// Inputs.
const (
	// ActivityInput bounds the input of one activity.
	ActivityInput = PayloadLimit * 7 / 8
	// Message bounds a message to an agent.
	Message = 256 << 10
	// StagedFile is what one staged file adds to the input of ExecuteAgent at most, on average.
	StagedFile = FileList / 1000
	// TaskInputs bounds the inputs that one workflow task schedules. The task's other commands have
	// the rest of MessageLimit.
	TaskInputs = PayloadLimit
	// BatchKey bounds the key of a batch, which is a part of ids and of execution keys.
	BatchKey = 400
)

// Errors.
const (
	// Error bounds message, details and causes of an error together, encoded.
	Error = 3 << 10
	// ErrorMessage bounds the message.
	ErrorMessage = 1000
	// ErrorCause bounds the causes together. Larger ones are reduced to ErrorCauseText bytes.
	ErrorCause     = 1000
	ErrorCauseText = 300
)

// Prose of the service and its agents.
const (
	Name        = 200 // of an agent, a file or an outcome
	ID          = 255
	URL         = 4000 // a longer one is left out: a part of it leads elsewhere
	Reason      = 2000
	Reasoning   = 4000
	Questions   = 16 << 10 // all questions of one asking, with their options
	Question    = 2000     // the text of one
	Label       = 500
	Description = 500
)

// What is shown.
const (
	Summary     = 120 // reads better than SummaryLimit
	Keyword     = 200
	Inline      = 500  // a text in the current details
	ShownResult = 2000 // an agent's result in the current details
	Details     = 16_000
)

// Responses of the service, which are read into memory.
const (
	// Response bounds a response.
	Response = 16 << 20
	// ExecutionResponse bounds a response about one execution, which may hold a result of 64 MiB.
	ExecutionResponse = 72 << 20
	// Listing bounds a list of files, which is read item by item: only selected files are kept.
	Listing = 1 << 30
)
