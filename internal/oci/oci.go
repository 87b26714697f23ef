// Package oci assembles container images without a daemon and moves them to and
// from registries: layers are made of directories, compressed, hashed and
// uploaded in one go, with the same bytes on any machine. It is the only
// importer of go-containerregistry, whose types do not leave it.
package oci

import (
	"errors"
	"fmt"
	"time"
)

// Layer is a layer as a manifest has it.
type Layer struct {
	MediaType   string
	Digest      string // "sha256:" and 64 hexadecimal digits, of the blob
	DiffID      string // the same of what it is uncompressed
	Size        int64  // of the blob, in bytes
	Annotations map[string]string
}

// Image is an image for one platform, as it was read.
type Image struct {
	Reference   Reference // with the digest of the manifest
	Platform    Platform
	Layers      []Layer
	Annotations map[string]string // of the manifest
	Created     time.Time
	config      []byte
	settings    settings
}

// Label returns a label of the image's configuration, or "".
func (i *Image) Label(name string) string { return i.settings.Labels[name] }

// Env returns a variable that the image sets, or "".
func (i *Image) Env(name string) string { return i.settings.env(name) }

// User is the user that the image's programs run as; "" is root.
func (i *Image) User() string { return i.settings.User }

// Platform is what an image runs on.
type Platform struct {
	OS, Architecture string
	Variant          string // such as "v7"; mostly empty
}

func (p Platform) String() string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// Errors that callers tell apart.
var (
	// ErrNotFound is of a repository, tag or digest that a registry does not have.
	ErrNotFound = errors.New("not found")
	// ErrDenied is of a registry that refuses the credentials, or that there are none.
	ErrDenied = errors.New("access denied")
	// ErrTransient is of a fault that may pass, and did not while it was waited for.
	ErrTransient = errors.New("the registry is in trouble or out of reach")
	// ErrMismatch is of content that is not what its digest says, or that a
	// registry took for something else.
	ErrMismatch = errors.New("digest mismatch")
	// ErrChanged is of files that changed while they were packed.
	ErrChanged = errors.New("files changed while they were packed")
)

// TagError is of a tag that stands for another image already.
type TagError struct {
	Name      string // repository and tag
	Has, Want string // digests
}

func (e *TagError) Error() string {
	return fmt.Sprintf("%s is there already, as %s; this image is %s\n  a published tag is never moved: take a tag that is free", e.Name, e.Has, e.Want)
}

// InputError is of a call or an input that the user can mend.
type InputError struct{ Msg string }

func (e *InputError) Error() string { return e.Msg }

// InvalidInput marks it for the exit code.
func (*InputError) InvalidInput() {}

func invalid(format string, args ...any) error { return &InputError{fmt.Sprintf(format, args...)} }
