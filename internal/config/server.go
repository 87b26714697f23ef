package config

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/secret"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// ServerFile is the usual name of the server's configuration.
const ServerFile = "odyssey.yaml"

// Server is the configuration of the bot.
type Server struct {
	Version    int      `yaml:"version" jsonschema:"enum=1,default=1" jsonschema_description:"Version of this file's format."`
	Forges     []Forge  `yaml:"forges" jsonschema:"required,minItems=1,maxItems=100" jsonschema_description:"Where the watched repositories are."`
	Git        Git      `yaml:"git" jsonschema_description:"How the bot asks git remotes."`
	Enterprise []Mirror `yaml:"enterprise" jsonschema:"maxItems=100" jsonschema_description:"Private mirrors of Odoo Enterprise that the bot fills from Odoo's portal, for repositories whose .odyssey.yaml enables that."`
	Identity   Identity `yaml:"identity" jsonschema_description:"Author and committer of the bot's commits."`

	Onboarding bool `yaml:"onboarding" jsonschema:"default=true" jsonschema_description:"Whether a watched repository with a repos.yaml and no .odyssey.yaml gets one pull request that adds it with the defaults. Who closes that has the bot leave the repository alone."`

	Python ServerPython `yaml:"python" jsonschema_description:"What the bot does for Python locks."`

	Store        string        `yaml:"store" jsonschema:"default=odyssey.db,minLength=1" jsonschema_description:"File in which serve keeps its queue, an SQLite database. A relative path starts at this file's directory."` // "" when there is a StoreURL
	StoreURLFile string        `yaml:"storeURLFile" jsonschema:"minLength=1,maxLength=4000,example=/run/secrets/postgres-url" jsonschema_description:"File with the postgres:// URL of a database and nothing else, in which serve keeps its queue instead of store: several servers may share it. A relative path starts at this file's directory."`
	Listen       string        `yaml:"listen" jsonschema:"default=:8080,minLength=1,maxLength=300,example=127.0.0.1:8080" jsonschema_description:"Address for webhooks."`
	StatusListen string        `yaml:"statusListen" jsonschema:"default=127.0.0.1:8081,minLength=1,maxLength=300" jsonschema_description:"Address for status pages, metrics and health checks, which ask for no password."`
	StatusHosts  []string      `yaml:"statusHosts" jsonschema:"maxItems=100,uniqueItems=true,minLength=1,maxLength=253,pattern=^[A-Za-z0-9][A-Za-z0-9.-]*$,example=bot.example.com" jsonschema_description:"Host names under which browsers may open the status pages; localhost and IP addresses always work."`
	Workers      int           `yaml:"workers" jsonschema:"minimum=1,maximum=64,default=4" jsonschema_description:"How many repositories serve works on at once."`
	Drain        time.Duration `yaml:"drain" jsonschema:"default=30s" jsonschema_description:"How long serve lets running work end when it is told to stop, from 0s to 1h."`
	Sweep        time.Duration `yaml:"sweep" jsonschema:"default=15m" jsonschema_description:"How often serve looks on the forges for what webhooks missed, from 1m to 24h."`
	Keep         time.Duration `yaml:"keep" jsonschema:"default=720h" jsonschema_description:"How long serve remembers what was delivered and done, from 1h to 8760h."`

	// StoreURL is what StoreURLFile holds. Only LoadServer sets it.
	StoreURL secret.Text `yaml:"-"`

	// Warnings say what is not wrong but unwise, one a line, with its place.
	Warnings []string `yaml:"-"`
}

// Forge is a forge and the repositories on it that are watched.
type Forge struct {
	Name              string      `yaml:"name" jsonschema:"minLength=1,maxLength=40,pattern=^[a-z0-9][a-z0-9._-]*$,example=main" jsonschema_description:"Name of this forge in errors and logs. It is the kind unless set."`
	Kind              string      `yaml:"kind" jsonschema:"required,enum=gitea,enum=forgejo,enum=github" jsonschema_description:"Software of the forge."`
	URL               string      `yaml:"url" jsonschema:"minLength=1,maxLength=2000,example=https://git.example.com" jsonschema_description:"Address of the forge's start page. Needed but for kind github, where it is https://github.com unless set."` // without a slash at its end
	APIURL            string      `yaml:"apiURL" jsonschema:"minLength=1,maxLength=2000,example=https://github.example.com/api/v3" jsonschema_description:"Address of the API, for kind github alone and where it cannot be told from url."`              // "" unless set; without a slash at its end
	AllowHTTP         bool        `yaml:"allowHTTP" jsonschema:"default=false" jsonschema_description:"Whether url and apiURL may begin with http:// although they lead to another machine: everybody on the way sees the token, and can answer as the forge."`
	TokenFile         string      `yaml:"tokenFile" jsonschema:"minLength=1,maxLength=4000,example=/run/secrets/gitea-token" jsonschema_description:"File with an access token of the bot's account and nothing else. Needed but for kind github, where appID and privateKeyFile are better. A relative path starts at this file's directory."`
	AppID             int64       `yaml:"appID" jsonschema:"minimum=1,maximum=9007199254740991,example=123456" jsonschema_description:"Number of the GitHub App that the bot is, for kind github alone; with privateKeyFile instead of tokenFile."`
	PrivateKeyFile    string      `yaml:"privateKeyFile" jsonschema:"minLength=1,maxLength=4000,example=/run/secrets/github-app.pem" jsonschema_description:"File with the App's private key, as GitHub gives it for download. A relative path starts at this file's directory."`
	WebhookSecretFile string      `yaml:"webhookSecretFile" jsonschema:"minLength=1,maxLength=4000,example=/run/secrets/gitea-webhook" jsonschema_description:"File with the secret that the forge signs its webhooks with and nothing else; serve needs it. A relative path starts at this file's directory."`
	Repositories      []string    `yaml:"repositories" jsonschema:"maxItems=1000,uniqueItems=true,pattern=^[A-Za-z0-9_][A-Za-z0-9._-]{0\\,99}/[A-Za-z0-9_][A-Za-z0-9._-]{0\\,99}$,example=owner/name" jsonschema_description:"The watched repositories, each OWNER/NAME. With none ([]) and no discover, the forge is there to be asked about upstream repositories alone."`
	Discover          []Discovery `yaml:"discover" jsonschema:"minItems=1,maxItems=100" jsonschema_description:"Which repositories are watched besides: those of an owner, those with a topic, or those with both. New ones are found by event and by sweep."`

	// Token, PrivateKey and WebhookSecret are what the files hold. Only
	// LoadServer sets them.
	Token         secret.Text `yaml:"-"`
	PrivateKey    secret.Text `yaml:"-"`
	WebhookSecret secret.Text `yaml:"-"`
}

// Watches reports whether repositories on the forge are watched, and it is not
// there to be asked about upstream ones alone.
func (f Forge) Watches() bool { return len(f.Repositories) > 0 || len(f.Discover) > 0 }

// Discovery says which repositories of a forge to watch. One of the two is
// set, or both are.
type Discovery struct {
	Owner string `yaml:"owner" jsonschema:"minLength=1,maxLength=100,pattern=^[A-Za-z0-9_][A-Za-z0-9._-]*$,example=acme" jsonschema_description:"Organisation or user."`
	Topic string `yaml:"topic" jsonschema:"minLength=1,maxLength=50,pattern=^[a-z0-9][a-z0-9.-]*$,example=odyssey" jsonschema_description:"Topic of the repository."`
}

// Git is what the git command is told.
type Git struct {
	Cache           string   `yaml:"cache" jsonschema:"minLength=1,maxLength=4000,example=/var/cache/odyssey" jsonschema_description:"Directory in which commits and lists of files of remotes are kept between runs, so that a remote that moved costs what is new. Without it they are kept as long as the command runs. A relative path starts at this file's directory."`
	CredentialsFile string   `yaml:"credentialsFile" jsonschema:"minLength=1,maxLength=4000,example=/run/secrets/git-credentials" jsonschema_description:"File in the format of git credential-store. A relative path starts at this file's directory."`
	Allow           []string `yaml:"allow" jsonschema:"maxItems=100,minLength=1,maxLength=2000,example=http://127.0.0.1:3000/" jsonschema_description:"URLs below which remotes may be asked although they are neither https nor ssh, or are at a loopback or private address."`
}

// Identity is who the bot's commits are by.
type Identity struct {
	Name  string `yaml:"name" jsonschema:"default=odyssey-bot,minLength=1,maxLength=100,pattern=^[^\\x00-\\x20\\x7f-\\xa0<>][^\\x00-\\x1f\\x7f-\\x9f<>]*$" jsonschema_description:"Name of the author."`
	Email string `yaml:"email" jsonschema:"default=odyssey-bot@users.noreply.localhost,maxLength=254,pattern=^[A-Za-z0-9._%+\\[\\]-]+@[A-Za-z0-9.-]+$" jsonschema_description:"Mail address of the author."`
}

// ParseServer parses a server's configuration, which name stands for in
// errors and whose directory relative paths start at. It reads no other file.
// All faults are reported at once, by line, joined, each a *yamldoc.Error.
func ParseServer(name string, data []byte) (Server, error) {
	c, err := checkServer(name, data)
	if err != nil {
		return Server{}, err
	}
	return c.server()
}

// LoadServer is ParseServer for the file at path, and reads the files with
// secrets that it names. Faults of these are reported at the line that names
// the file.
func LoadServer(path string) (Server, error) { return load(path, false) }

// LoadServing is LoadServer for who takes webhooks: a forge without a secret
// for them is a fault.
func LoadServing(path string) (Server, error) { return load(path, true) }

func load(path string, serving bool) (Server, error) {
	data, err := yamldoc.ReadFile(path)
	if err != nil {
		return Server{}, fmt.Errorf("read server configuration: %w", err)
	}
	c, err := checkServer(path, data)
	if err != nil {
		return Server{}, err
	}
	secrets := c.readSecrets(serving)
	server, err := c.server()
	if err != nil {
		return Server{}, err
	}
	server.StoreURL = secrets.store
	for i := range server.Enterprise {
		server.Enterprise[i].Code = secrets.codes[i]
	}
	for i := range server.Forges {
		server.Forges[i].Token = secrets.tokens[i]
		server.Forges[i].PrivateKey = secrets.keys[i]
		server.Forges[i].WebhookSecret = secrets.webhooks[i]
	}
	server.Warnings = slices.Concat(secrets.warnings, c.unwise(&server))
	return server, nil
}

// checkServer collects the faults of data, but those of other files.
func checkServer(name string, data []byte) (*checker, error) {
	doc, err := yamldoc.Parse(name, data)
	if err != nil {
		return nil, err
	}
	if doc.Root == nil {
		return nil, &yamldoc.Error{Path: name, Line: 1, Msg: "lacks forges"}
	}
	c := newChecker(doc)
	c.check(doc.Root, "", serverSchema())
	c.checkForges(items(child(doc.Root, "forges")))
	c.checkMirrors(items(child(doc.Root, "enterprise")), items(child(doc.Root, "forges")))
	c.checkAllow(items(child(child(doc.Root, "git"), "allow")))
	c.checkServing(doc.Root)
	return c, nil
}

// server decodes the document unless it has faults.
func (c *checker) server() (Server, error) {
	if err := c.err(); err != nil {
		return Server{}, err
	}
	s := Server{
		Version: 1, Onboarding: true, Identity: Identity{Name: "odyssey-bot", Email: "odyssey-bot@users.noreply.localhost"},
		Python: defaultServerPython(),
		Store:  "odyssey.db", Listen: ":8080", StatusListen: "127.0.0.1:8081",
		Workers: 4, Drain: 30 * time.Second, Sweep: 15 * time.Minute, Keep: 30 * 24 * time.Hour,
	}
	if err := c.doc.Root.Decode(&s); err != nil {
		return Server{}, fmt.Errorf("decode %s: %w", c.doc.Path, err)
	}
	for i := range s.Forges {
		f := &s.Forges[i]
		f.Name = cmp.Or(f.Name, f.Kind)
		if f.Kind == github {
			f.URL = cmp.Or(f.URL, githubURL)
		}
		f.URL, f.APIURL = strings.TrimRight(f.URL, "/"), strings.TrimRight(f.APIURL, "/")
		c.place(&f.TokenFile, &f.PrivateKeyFile, &f.WebhookSecretFile)
	}
	s.fillMirrors(c)
	if s.StoreURLFile != "" {
		s.Store = ""
	}
	c.place(&s.Git.Cache, &s.Git.CredentialsFile, &s.Store, &s.StoreURLFile)
	return s, nil
}

// place makes the paths of files that the document names what besides says.
func (c *checker) place(files ...*string) {
	for _, file := range files {
		if *file != "" {
			*file = c.besides(*file)
		}
	}
}

// besides returns the path of a file that the document names.
func (c *checker) besides(file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(filepath.Dir(c.doc.Path), file)
}
