package release

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/nuobit/odyssey/internal/oci"
)

// format is counted up when the same inputs give other layers than before.
const format = "2"

// The annotations that make a release known again. Those of images are labels, too.
const (
	prefix = "io.github.nuobit.odyssey."

	// Of images.
	annotationFormat      = prefix + "format"
	annotationCompression = prefix + "compression"
	annotationLanguages   = prefix + "languages"
	annotationSource      = prefix + "source-dir"
	annotationVenv        = prefix + "venv-dir"
	annotationSystem      = prefix + "system-base"

	// Of layers.
	annotationLayer    = prefix + "layer"        // a destination, "shared:" and a number, "venv" or "etc"
	annotationKey      = prefix + "key"          // digest of all that its content comes from
	annotationSources  = prefix + "repositories" // what is known of them, as JSON: []held
	annotationPackages = prefix + "packages"     // of an environment, as JSON: []pythonPackage

	// AnnotationPython is a label of base images: the minor version of their Python.
	AnnotationPython = prefix + "python"
)

// annotations are those of the image.
func (p *packer) annotations() (map[string]string, error) {
	all := map[string]string{}
	for key, value := range p.Annotations {
		if strings.HasPrefix(key, prefix) || key == oci.AnnotationBaseName || key == oci.AnnotationBaseDigest {
			return nil, invalid("the annotation %s is set by pack itself", key)
		}
		if err := checkAnnotation(key, value); err != nil {
			return nil, err
		}
		all[key] = value
	}
	name := p.Base
	name.Digest = ""
	maps.Copy(all, map[string]string{
		oci.AnnotationBaseName: name.String(), oci.AnnotationBaseDigest: p.Base.Digest,
		annotationFormat: format, annotationCompression: string(p.Compression),
		annotationSource: p.ImageSource, annotationVenv: p.ImageVenv,
	})
	if p.Languages != nil {
		all[annotationLanguages] = strings.Join(p.Languages, ",")
	}
	if p.SystemBase.Digest != "" {
		all[annotationSystem] = p.SystemBase.String()
	}
	return all, nil
}

// own are the annotations of an image that were given by whoever packed it.
func own(all map[string]string) map[string]string {
	given := maps.Clone(all)
	maps.DeleteFunc(given, func(key, _ string) bool {
		return strings.HasPrefix(key, prefix) || key == oci.AnnotationBaseName || key == oci.AnnotationBaseDigest
	})
	return given
}

// checkAnnotation refuses what everybody who may pull the image would read and should
// not.
func checkAnnotation(key, value string) error {
	if key == "" || strings.ContainsFunc(key+value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return invalid("the annotation %s is empty or has control characters", strconv.Quote(key))
	}
	for word := range strings.FieldsSeq(value) {
		if u, err := url.Parse(word); err == nil && u.User != nil && u.Host != "" {
			return invalid("the annotation %s holds a URL with credentials; leave them out", key)
		}
	}
	return nil
}

// checkLanguages refuses what is no name of a translation, and sorts them.
func checkLanguages(languages []string) error {
	for _, l := range languages {
		if !language.MatchString(l) {
			return invalid("%q is no language; write such as es, pt_BR or sr@latin", l)
		}
	}
	slices.Sort(languages)
	return nil
}
