package client

import (
	"cmp"
	"time"
)

// Operation describes a request, for its errors.
type Operation struct {
	Name        string // the contract's operation id
	subject     string // a file's name, for an operation on one file
	executionID string
	Execute     bool          // starts an agent: it can fail for capacity or for staged files
	timeout     time.Duration // Client.requestTimeout when 0, none when negative
	maxResponse int           // in bytes; budget.Response when 0
}

// purposes say what each operation is for, in the words of people who read its errors.
var purposes = map[string]string{
	"AgentExecutePost":                 "start the agent",
	"WorkflowExecutePost":              "start the agent",
	"TempFilesStage":                   "stage the file",
	"TempFilesUpload":                  "stage the file",
	"ExecutionGet":                     "read the execution",
	"ExecutionSyncGet":                 "wait for the execution",
	"ExecutionsList":                   "list executions",
	"ExecutionActivitiesGet":           "read the execution's log",
	"ExecutionStatusUpdate":            "change the execution's status",
	"ExecutionUserMessagesAdd":         "send the agent a message",
	"ExecutionContextFilesUpload":      "attach the file",
	"ExecutionFilesGet":                "list the execution's files",
	"ExecutionFileDownloadRedirect":    "get a link to the file",
	"AgentSharedFilesGet":              "list the agent's shared files",
	"AgentList":                        "list agents",
	"AgentWorkflowsList":               "list the agent's versions",
	"WorkflowVersionsList":             "list the agent's versions",
	"WorkflowVersionsGet":              "read the agent's version",
	"AgentWorkflowsGetInputs":          "read the inputs of the agent's version",
	"WorkflowVersionsGetInputs":        "read the inputs of the agent's version",
	"AgentWorkflowsGetOutputSchemas":   "read the outputs of the agent's version",
	"WorkflowVersionsGetOutputSchemas": "read the outputs of the agent's version",
	"WhoamiGet":                        "ask for the organization of the API key",
	"ContextGet":                       "ask for the organizations of the API key",
}

func (o Operation) purpose() string { return cmp.Or(purposes[o.Name], o.Name) }
