package container

import (
	"path/filepath"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
)

// TestKubernetesInbox: the manifests of examples/inbox are of Kubernetes' form,
// their parts name each other, and the inbox is on a volume that outlives the pod
// and that no other pod has. e2e runs the Caddyfile.
func TestKubernetesInbox(t *testing.T) {
	t.Parallel()
	const folder = "../../examples/inbox"
	var (
		config  core.ConfigMap
		set     apps.StatefulSet
		service core.Service
	)
	decodeObjects(t, textOf(t, folder, "kubernetes.yaml"), map[string]any{
		"v1 ConfigMap": &config, "apps/v1 StatefulSet": &set, "v1 Service": &service,
	})
	if config.Data["Caddyfile"] != textOf(t, folder, "Caddyfile") {
		t.Error("the ConfigMap has another Caddyfile")
	}
	spec := set.Spec
	if *spec.Replicas != 1 || spec.ServiceName != service.Name {
		t.Errorf("%d replicas of the service %s", *spec.Replicas, spec.ServiceName)
	}
	for _, selector := range []map[string]string{spec.Selector.MatchLabels, service.Spec.Selector} {
		if len(selector) != 1 || selector["app"] != spec.Template.Labels["app"] {
			t.Errorf("%v does not select %v", selector, spec.Template.Labels)
		}
	}
	gateway := spec.Template.Spec.Containers[0]
	environment, mounts := map[string]string{}, map[string]string{}
	for _, variable := range gateway.Env {
		environment[variable.Name] = variable.Value
	}
	for _, mount := range gateway.VolumeMounts {
		mounts[mount.MountPath] = mount.Name
	}
	claims := spec.VolumeClaimTemplates
	if len(claims) != 1 || mounts[environment["STATE_DIRECTORY"]] != claims[0].Name {
		t.Fatalf("the inbox is in %q, and the claims are %v", environment["STATE_DIRECTORY"], claims)
	}
	if modes := claims[0].Spec.AccessModes; len(modes) != 1 || modes[0] != core.ReadWriteOncePod {
		t.Errorf("others can have the volume: %v", modes)
	}
	const needed = 3 << 29 // one and a half times the default max_size
	if size := claims[0].Spec.Resources.Requests.Storage(); size.Value() <= needed {
		t.Errorf("the volume has %v", size)
	}
	if socket := strings.TrimPrefix(environment["CADDY_ADMIN"], "unix/"); mounts[filepath.Dir(socket)] == "" {
		t.Errorf("the admin endpoint's socket is at %s, which cannot be written", socket)
	}
}
