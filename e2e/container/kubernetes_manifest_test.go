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

// readManifest decodes examples/sidecar into Kubernetes' own types: a field that does not exist,
// stands in the wrong place, is there twice or is of another type ends the test.
func readManifest(t *testing.T) *manifest {
	t.Helper()
	m := new(manifest)
	decodeObjects(t, textOf(t, example, "kubernetes.yaml"), map[string]any{
		"v1 ConfigMap": &m.config, "apps/v1 Deployment": &m.deployment, "v1 Service": &m.service,
	})
	return m
}

// textOf reads a file of an example.
func textOf(t *testing.T, folder, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// decodeObjects decodes the documents of a manifest, each into the object of its
// version and kind. There must be one for each, and no other.
func decodeObjects(t *testing.T, text string, into map[string]any) {
	t.Helper()
	for document := range strings.SplitSeq(text, "\n---\n") {
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
}

// pod is what runs.
func (m *manifest) pod() *core.PodSpec { return &m.deployment.Spec.Template.Spec }
