// Package scaffolds has the repositories that odyssey-bot scaffold copies: a
// derived image's, and deployments of it. They are files that are valid as they
// are, with the names of an example in them; internal/scaffold fills in others.
package scaffolds

import "embed"

//go:embed all:derived-image all:deployment
var files embed.FS

// Files are the scaffolds, each below its path, such as deployment/k8s. Modes are
// lost on the way; a file that begins with #! is executable.
func Files() embed.FS { return files }
