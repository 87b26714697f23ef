package config

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/nuobit/odyssey/internal/secret"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// ServerFile is the usual name of the server's configuration.
const ServerFile = "odyssey.yaml"

// Server is the configuration of the bot.
type Server struct {
	Version  int      `yaml:"version" jsonschema:"enum=1,default=1" jsonschema_description:"Version of this file's format."`
	Forges   []Forge  `yaml:"forges" jsonschema:"required,minItems=1,maxItems=100" jsonschema_description:"Where the watched repositories are."`
	Git      Git      `yaml:"git" jsonschema_description:"How the bot asks git remotes."`
	Identity Identity `yaml:"identity" jsonschema_description:"Author and committer of the bot's commits."`

	// Warnings say what is not wrong but unwise, one a line, with its place.
	Warnings []string `yaml:"-"`
}

// Forge is a forge and the repositories on it that are watched.
type Forge struct {
	Name         string   `yaml:"name" jsonschema:"minLength=1,maxLength=40,pattern=^[a-z0-9][a-z0-9._-]*$,example=main" jsonschema_description:"Name of this forge in errors and logs. It is the kind unless set."`
	Kind         string   `yaml:"kind" jsonschema:"required,enum=gitea,enum=forgejo" jsonschema_description:"Software of the forge."`
	URL          string   `yaml:"url" jsonschema:"required,minLength=1,maxLength=2000,example=https://git.example.com" jsonschema_description:"Address of the forge's start page."` // without a slash at its end
	TokenFile    string   `yaml:"tokenFile" jsonschema:"required,minLength=1,maxLength=4000,example=/run/secrets/gitea-token" jsonschema_description:"File with an access token of the bot's account and nothing else. A relative path starts at this file's directory."`
	Repositories []string `yaml:"repositories" jsonschema:"required,minItems=1,maxItems=1000,uniqueItems=true,pattern=^[A-Za-z0-9_][A-Za-z0-9._-]{0\\,99}/[A-Za-z0-9_][A-Za-z0-9._-]{0\\,99}$,example=owner/name" jsonschema_description:"The watched repositories, each OWNER/NAME."`

	// Token is what TokenFile holds. Only LoadServer sets it.
	Token secret.Text `yaml:"-"`
}

// Git is what the git command is told.
type Git struct {
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

// LoadServer is ParseServer for the file at path, and reads its token files
// too. Faults of these are reported at the line that names the file.
func LoadServer(path string) (Server, error) {
	data, err := yamldoc.ReadFile(path)
	if err != nil {
		return Server{}, fmt.Errorf("read server configuration: %w", err)
	}
	c, err := checkServer(path, data)
	if err != nil {
		return Server{}, err
	}
	tokens, warnings := c.readSecrets()
	server, err := c.server()
	if err != nil {
		return Server{}, err
	}
	server.Warnings = warnings
	for i := range server.Forges {
		server.Forges[i].Token = tokens[i]
	}
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
	c.checkAllow(items(child(child(doc.Root, "git"), "allow")))
	return c, nil
}

// server decodes the document unless it has faults.
func (c *checker) server() (Server, error) {
	if err := c.err(); err != nil {
		return Server{}, err
	}
	s := Server{Version: 1, Identity: Identity{Name: "odyssey-bot", Email: "odyssey-bot@users.noreply.localhost"}}
	if err := c.doc.Root.Decode(&s); err != nil {
		return Server{}, fmt.Errorf("decode %s: %w", c.doc.Path, err)
	}
	for i := range s.Forges {
		f := &s.Forges[i]
		f.Name = cmp.Or(f.Name, f.Kind)
		f.URL = strings.TrimRight(f.URL, "/")
		f.TokenFile = c.besides(f.TokenFile)
	}
	if s.Git.CredentialsFile != "" {
		s.Git.CredentialsFile = c.besides(s.Git.CredentialsFile)
	}
	return s, nil
}

// besides returns the path of a file that the document names.
func (c *checker) besides(file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(filepath.Dir(c.doc.Path), file)
}
