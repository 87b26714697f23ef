package giteatest

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
)

// appINI is Gitea's configuration. Arguments: data directory, static root,
// port (four times), two secrets.
const appINI = `APP_NAME = Odyssey's test forge
RUN_MODE = prod
WORK_PATH = %[1]s

[server]
PROTOCOL = http
HTTP_ADDR = 127.0.0.1
HTTP_PORT = %[3]d
ROOT_URL = http://127.0.0.1:%[3]d/
LOCAL_ROOT_URL = http://127.0.0.1:%[3]d/
DOMAIN = 127.0.0.1
STATIC_ROOT_PATH = %[2]s
OFFLINE_MODE = true
DISABLE_SSH = true

[database]
DB_TYPE = sqlite3
PATH = %[1]s/gitea.db
SQLITE_JOURNAL_MODE = WAL

[security]
INSTALL_LOCK = true
SECRET_KEY = %[4]s
INTERNAL_TOKEN = %[5]s
PASSWORD_HASH_ALGO = pbkdf2$1000$32

[service]
DISABLE_REGISTRATION = true
ENABLE_NOTIFY_MAIL = false

[repository]
ROOT = %[1]s/repositories
DEFAULT_BRANCH = main

[webhook]
ALLOWED_HOST_LIST = loopback

[indexer]
ISSUE_INDEXER_TYPE = db

[session]
PROVIDER = memory

[actions]
ENABLED = false

[cron.update_checker]
ENABLED = false

[log]
MODE = file
LEVEL = Info
ROOT_PATH = %[1]s/log
`

// configure writes app.ini, with extra at its end, below dir and returns its
// path.
func configure(dir string, b binary, port int, extra string) (string, error) {
	for _, sub := range []string{"home", "log", "repositories"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return "", err
		}
	}
	path := filepath.Join(dir, "app.ini")
	content := fmt.Sprintf(appINI, dir, b.static, port, rand.Text(), rand.Text()) + extra
	return path, os.WriteFile(path, []byte(content), 0o600)
}
