package main

import "runtime/debug"

// version returns the version of the module that was installed, or (devel) for a build in the
// repository.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
