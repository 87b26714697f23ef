package sbom

import (
	"net/url"
	"path"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/package-url/packageurl-go"
)

// PURL is the package URL of an image, by its digest; tag may be empty.
func PURL(repository, tag, digest string) string {
	q := map[string]string{"repository_url": repository}
	if tag != "" {
		q["tag"] = tag
	}
	return packageurl.NewPackageURL(packageurl.TypeOCI, "", path.Base(repository), digest, packageurl.QualifiersFromMap(q), "").ToString()
}

// purlOfCommit is a directory of a commit; "" is its root. One whose place must not be told has none.
func purlOfCommit(c Commit, dir string) string {
	u, err := url.Parse(c.URL)
	if c.URL == "" || err != nil {
		return ""
	}
	name := strings.TrimSuffix(strings.Trim(u.Path, "/"), ".git")
	if owner, repo, ok := strings.Cut(name, "/"); ok && u.Hostname() == "github.com" && !strings.Contains(repo, "/") {
		return packageurl.NewPackageURL(packageurl.TypeGithub, owner, repo, c.ID, nil, dir).ToString()
	}
	q := packageurl.QualifiersFromMap(map[string]string{"vcs_url": "git+" + c.URL + "@" + c.ID})
	return packageurl.NewPackageURL(packageurl.TypeGeneric, "", path.Base(name), c.ID, q, dir).ToString()
}

func purlOfPython(name, version string) string {
	return packageurl.NewPackageURL(packageurl.TypePyPi, "", name, version, nil, "").ToString()
}

// page is where a commit can be looked at in a browser, as GitHub, Gitea and GitLab have it; else where
// its repository is.
func (c *Commit) page() string {
	if u, err := url.Parse(c.URL); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		return strings.TrimSuffix(c.URL, ".git") + "/commit/" + c.ID
	}
	return c.URL
}

// spdx are the licences of Odoo's manifests that SPDX knows. The others are proprietary, or no licence's
// name: "Other OSI approved licence".
func spdx(license string) string {
	return map[string]string{
		"GPL-2": "GPL-2.0-only", "GPL-2 or any later version": "GPL-2.0-or-later",
		"GPL-3": "GPL-3.0-only", "GPL-3 or any later version": "GPL-3.0-or-later",
		"LGPL-3": "LGPL-3.0-only", "LGPL-3 or any later version": "LGPL-3.0-or-later",
		"AGPL-3": "AGPL-3.0-only", "AGPL-3 or any later version": "AGPL-3.0-or-later",
	}[license]
}

// licenses are what somebody declares. None is said of what declares none.
func licenses(declared string) *cdx.Licenses {
	switch id := spdx(declared); {
	case declared == "":
		return nil
	case id != "":
		return &cdx.Licenses{{License: &cdx.License{ID: id, Acknowledgement: cdx.LicenseAcknowledgementDeclared}}}
	}
	return &cdx.Licenses{{License: &cdx.License{Name: declared, Acknowledgement: cdx.LicenseAcknowledgementDeclared}}}
}
