package config

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/nuobit/odyssey/internal/secret"
)

// shortSecret is the length in bytes below which a webhook's secret can be
// guessed.
const shortSecret = 16

// secrets is what the files hold that a server's configuration names, by
// forge, and what to warn of.
type secrets struct {
	tokens, keys, webhooks []secret.Text
	codes                  []secret.Text // of mirrors
	store                  secret.Text
	warnings               []string
}

// readSecrets reads the files with secrets, and warns of those that everybody
// can read. When serving, each forge needs a secret for its webhooks.
func (c *checker) readSecrets(serving bool) (s secrets) {
	readBy := func(reader func(string) (secret.Text, error), node *yaml.Node, path string) secret.Text {
		file, ok := textOf(node)
		if !ok || file == "" {
			return secret.Text{}
		}
		text, err := reader(c.besides(file))
		if err != nil {
			c.fault(node, path, "%s", err)
		}
		s.warnings = append(s.warnings, c.exposed(node)...)
		return text
	}
	read := func(node *yaml.Node, path string) secret.Text { return readBy(secret.ReadFile, node, path) }
	for i, forge := range items(child(c.doc.Root, "forges")) {
		at := fmt.Sprintf("forges[%d]", i)
		s.tokens = append(s.tokens, read(child(forge, "tokenFile"), at+".tokenFile"))
		s.keys = append(s.keys, readBy(secret.ReadKey, child(forge, "privateKeyFile"), at+".privateKeyFile"))
		node := child(forge, "webhookSecretFile")
		webhook := read(node, at+".webhookSecretFile")
		s.webhooks = append(s.webhooks, webhook)
		switch n := len(webhook.Reveal()); {
		case node == nil && serving && forge.Kind == yaml.MappingNode && watches(forge):
			c.fault(forge, at, "lacks webhookSecretFile").Hint = "serve takes signed webhooks alone: openssl rand -hex 32 makes a secret"
		case n > 0 && n < shortSecret:
			s.warnings = append(s.warnings, fmt.Sprintf("%s:%d: the secret of %d bytes can be guessed; openssl rand -hex 32 makes a better one", c.doc.Path, node.Line, n))
		}
	}
	for i, mirror := range items(child(c.doc.Root, "enterprise")) {
		s.codes = append(s.codes, read(child(mirror, "subscriptionCodeFile"), fmt.Sprintf("enterprise[%d].subscriptionCodeFile", i)))
	}
	node := child(child(c.doc.Root, "git"), "credentialsFile")
	if file, ok := textOf(node); ok && file != "" {
		if err := secret.CheckFile(c.besides(file)); err != nil {
			c.fault(node, "git.credentialsFile", "%s", err)
		}
		s.warnings = append(s.warnings, c.exposed(node)...)
	}
	node = child(c.doc.Root, "storeURLFile")
	s.store = read(node, "storeURLFile")
	if url := s.store.Reveal(); url != "" && !strings.HasPrefix(url, "postgres://") && !strings.HasPrefix(url, "postgresql://") {
		c.fault(node, "storeURLFile", "%s holds no URL that begins with postgres://", c.besides(node.Value))
	}
	return s
}

// exposed returns a warning when the file that node names can be read by
// everybody. By its group a file may have to be: Kubernetes gives a secret to
// who runs the container in this way. Windows keeps that elsewhere than in the
// mode.
func (c *checker) exposed(node *yaml.Node) []string {
	file := c.besides(node.Value)
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm()&0o004 == 0 || runtime.GOOS == "windows" {
		return nil
	}
	return []string{fmt.Sprintf("%s:%d: %s can be read by everybody (mode %04o); run: chmod o= %s",
		c.doc.Path, node.Line, file, info.Mode().Perm(), file)}
}
