package config_test

import (
	"bytes"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/config"
)

func TestExample(t *testing.T) {
	t.Parallel()
	data, err := config.Example()
	if err != nil {
		t.Fatal(err)
	}
	got, err := config.ParseRepo(config.RepoFile, data)
	if err != nil {
		t.Fatalf("the example is not what the schema allows: %v, in\n%s", err, data)
	}
	if !reflect.DeepEqual(normal(got), normal(config.DefaultRepo())) {
		t.Errorf("the example does not say what holds without it:\n%+v\n%+v\n%s", got, config.DefaultRepo(), data)
	}
	for i, line := range strings.Split(string(data), "\n") {
		if len(line) > 100 && strings.HasPrefix(strings.TrimSpace(line), "#") {
			t.Errorf("line %d has %d bytes: %s", i+1, len(line), line)
		}
	}
	if !regexp.MustCompile(`\nmerges:\n  # .*\n  enabled: true\n`).Match(data) {
		t.Errorf("no setting below its comment in\n%s", data)
	}
	if n := bytes.Count(data, []byte("# Labels of the pull requests.")); n != 1 {
		t.Errorf("labels are told %d times in\n%s", n, data)
	}
}

// normal makes lists that are empty nil, wherever they are.
func normal(repo config.Repo) config.Repo {
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch {
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		case v.Kind() == reflect.Slice && v.Len() == 0 && v.CanSet():
			v.SetZero()
		}
	}
	walk(reflect.ValueOf(&repo).Elem())
	return repo
}
