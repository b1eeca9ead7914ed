// Package intent says whether two requests to run an agent mean the same. An agent must run once
// per intent, so the answer never changes between versions: an execution that is at work keeps the
// digest with which it was requested, and workflow code counts equal requests again on replay.
//
// Two requests mean the same when agent, profile, inputs and files are equal. Inputs are equal as
// JSON values: neither the order of members nor the form of numbers counts. Files are equal by name
// and identity; their content is not read. The version and the execution options of an agent are
// compared too, but belong to how the agent runs, not to what it is meant to do.
package intent
