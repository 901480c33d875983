package container

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// manifest is what kubernetes.yaml has.
type manifest struct {
	config     core.ConfigMap
	deployment apps.Deployment
	service    core.Service
}

// readManifest decodes into Kubernetes' own types: a field that does not exist,
// stands in the wrong place, is there twice or is of another type ends the test.
func readManifest(t *testing.T) *manifest {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(example, "kubernetes.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	m := new(manifest)
	into := map[string]any{"v1 ConfigMap": &m.config, "apps/v1 Deployment": &m.deployment, "v1 Service": &m.service}
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		document += "\n"
		var is struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal([]byte(document), &is); err != nil {
			t.Fatal(err)
		}
		name := is.APIVersion + " " + is.Kind
		object, known := into[name]
		if !known {
			t.Fatalf("%s is unknown here, or there twice", name)
		}
		delete(into, name)
		if err := yaml.UnmarshalStrict([]byte(document), object); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(into) > 0 {
		t.Errorf("missing: %v", into)
	}
	return m
}

// pod is what runs.
func (m *manifest) pod() *core.PodSpec { return &m.deployment.Spec.Template.Spec }
