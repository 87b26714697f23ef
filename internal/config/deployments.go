package config

import (
	"fmt"
	"path"
	"strings"

	"gopkg.in/yaml.v3"
)

// Deployment is a repository that runs the image that is built of a watched one.
type Deployment struct {
	Repository string     `yaml:"repository" jsonschema:"required,maxLength=201,pattern=^[A-Za-z0-9_][A-Za-z0-9._-]{0\\,99}/[A-Za-z0-9_][A-Za-z0-9._-]{0\\,99}$,example=acme/deployment" jsonschema_description:"The deployment repository, OWNER/NAME on the same forge."`
	Image      string     `yaml:"image" jsonschema:"minLength=1,maxLength=500,pattern=^[a-z0-9][A-Za-z0-9._:/-]*$,example=ghcr.io/acme/odoo" jsonschema_description:"Image that it runs, without tag and digest. Unless set, it is proposed every image that is released."`
	Files      []string   `yaml:"files" jsonschema:"minItems=1,maxItems=100,minLength=1,maxLength=500,example=overlays/production/**" jsonschema_description:"Globs of the files in which the image is moved. Unless set, all files that can name an image."`
	Instances  []Instance `yaml:"instances" jsonschema:"minItems=1,maxItems=50" jsonschema_description:"Parts of the deployment repository that get a pull request each, instead of files."`
	InOrder    bool       `yaml:"inOrder" jsonschema:"default=false" jsonschema_description:"Whether an instance is proposed an image only when those before it run it."`
	Installed  []string   `yaml:"installed" jsonschema:"minItems=1,maxItems=50,minLength=1,maxLength=500,example=installed-addons.txt" jsonschema_description:"Files of the deployment repository that list the addons its databases have installed: one a line or separated by commas, with # comments. When all deployments have such files, pull requests tell of these addons alone."`
}

// Instance is a part of a deployment repository.
type Instance struct {
	Name  string   `yaml:"name" jsonschema:"required,minLength=1,maxLength=100,example=production" jsonschema_description:"Name of the instance, for pull requests."`
	Files []string `yaml:"files" jsonschema:"required,minItems=1,maxItems=100,minLength=1,maxLength=500,example=overlays/production/**" jsonschema_description:"Globs of its files."`
}

// checkDeployments checks what the schema cannot.
func (c *checker) checkDeployments(all []*yaml.Node) {
	for i, d := range all {
		at := fmt.Sprintf("deployments[%d]", i)
		files, instances := child(d, "files"), child(d, "instances")
		if files != nil && instances != nil {
			c.fault(instances, at+".instances", "stands beside files").Hint = "the globs of an instance are its own: drop files"
		}
		c.checkFileGlobs(files, at+".files")
		known := map[string]bool{}
		for n, instance := range items(instances) {
			place := fmt.Sprintf("%s.instances[%d]", at, n)
			name, _ := textOf(child(instance, "name"))
			if known[name] {
				c.fault(child(instance, "name"), place+".name", "%q is there twice", name).Hint = "give one instance all globs"
			}
			known[name] = true
			c.checkFileGlobs(child(instance, "files"), place+".files")
		}
		if inOrder := child(d, "inOrder"); inOrder != nil && inOrder.Value == "true" && len(items(instances)) < 2 {
			c.fault(inOrder, at+".inOrder", "there is no order without two instances")
		}
		for n, file := range items(child(d, "installed")) {
			if text, ok := textOf(file); ok && (path.IsAbs(text) || path.Clean(text) != text || strings.HasPrefix(text, "..")) {
				c.fault(file, fmt.Sprintf("%s.installed[%d]", at, n), "%q is no path of a file in the deployment repository", text).Hint = "write it from the repository's top, such as installed-addons.txt"
			}
		}
	}
}

// checkFileGlobs checks globs in which ** stands for any directories.
func (c *checker) checkFileGlobs(globs *yaml.Node, at string) {
	for i, glob := range items(globs) {
		text, ok := textOf(glob)
		if !ok {
			continue
		}
		// Braces and ** are nothing to path.Match, and whatever else is wrong, is so to it.
		if _, err := path.Match(text, ""); err != nil || strings.Count(text, "{") != strings.Count(text, "}") {
			c.fault(glob, fmt.Sprintf("%s[%d]", at, i), "%q is no valid glob", text).Hint = "write **/*.yaml, or overlays/production/**"
		}
	}
}
