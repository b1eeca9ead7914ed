package devserver

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"github.com/google/uuid"
	"go.temporal.io/server/common/config"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/schema/sqlite"
)

// openFiles holds the database files of the servers in this process. SQLite locks out other
// processes. Two servers in one process would share a connection and compete for the history shard.
var openFiles sync.Map

// openDatabase creates the schema and the namespace where missing. release allows another server to
// use the file.
func openDatabase(opts Options) (db *config.SQL, release func(), err error) {
	if opts.DatabaseFile == "" {
		// The name must be unique: all databases of the process share one pool.
		db, release = memoryDatabase(), func() {}
	} else if db, release, err = fileDatabase(opts.DatabaseFile); err != nil {
		return nil, nil, err
	}
	namespace, err := sqlite.NewNamespaceConfig(clusterName, opts.Namespace, false, opts.SearchAttributes)
	if err == nil {
		err = sqlite.CreateNamespaces(db, namespace)
	}
	if err != nil {
		release()
		if opts.DatabaseFile != "" {
			err = fmt.Errorf("open database file %s (is it in use by another server, or a file of another program?): %w", opts.DatabaseFile, err)
		}
		return nil, nil, err
	}
	return db, release, nil
}

func memoryDatabase() *config.SQL {
	return &config.SQL{
		PluginName:        sqliteplugin.PluginName,
		DatabaseName:      "devserver-" + uuid.NewString(),
		ConnectAttributes: map[string]string{"mode": "memory", "cache": "shared"},
	}
}

func fileDatabase(file string) (*config.SQL, func(), error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return nil, nil, err
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return nil, nil, fmt.Errorf("database file %s: its directory does not exist; create it first", file)
	}
	if _, inUse := openFiles.LoadOrStore(path, true); inUse {
		return nil, nil, fmt.Errorf("database file %s is in use by another server of this process; stop that one first", file)
	}
	return &config.SQL{
		PluginName:   sqliteplugin.PluginName,
		DatabaseName: (&url.URL{Path: path}).EscapedPath(), // the plugin puts it into a URI
		ConnectAttributes: map[string]string{
			"mode":         "rwc",
			"setup":        "true", // creates a missing schema
			"journal_mode": "wal",
			"synchronous":  "normal",
			"locking_mode": "exclusive", // two servers on one file would corrupt each other's data
		},
	}, func() { openFiles.Delete(path) }, nil
}
