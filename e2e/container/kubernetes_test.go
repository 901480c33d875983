package container

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
)

// TestKubernetes: the manifest is of Kubernetes' form, its parts name each
// other, and it says what compose.yaml says.
func TestKubernetes(t *testing.T) {
	m := readManifest(t)
	for key, file := range map[string]string{
		"gateway.caddyfile":     "gateway/Caddyfile",
		"application.caddyfile": "application/Caddyfile",
	} {
		text, err := os.ReadFile(filepath.Join(example, file))
		if err != nil {
			t.Fatal(err)
		}
		if m.config.Data[key] != string(text) {
			t.Errorf("%s is not %s", key, file)
		}
	}

	spec := m.deployment.Spec
	if *spec.Replicas != 1 || spec.Strategy.Type != apps.RecreateDeploymentStrategyType {
		t.Error("two gateways would have two histories")
	}
	for _, selector := range []map[string]string{spec.Selector.MatchLabels, m.service.Spec.Selector} {
		if len(selector) == 0 || selector["app"] != spec.Template.Labels["app"] {
			t.Errorf("%v does not select %v", selector, spec.Template.Labels)
		}
	}
	volumes := map[string]bool{}
	for _, v := range m.pod().Volumes {
		volumes[v.Name] = true
		if v.ConfigMap != nil && v.ConfigMap.Name != m.config.Name {
			t.Errorf("no ConfigMap %s", v.ConfigMap.Name)
		}
	}
	for _, c := range m.pod().Containers {
		for _, mount := range c.VolumeMounts {
			if !volumes[mount.Name] {
				t.Errorf("%s mounts %s, which is no volume", c.Name, mount.Name)
			}
		}
		if s := c.SecurityContext; !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation || !slices.Equal(s.Capabilities.Drop, []core.Capability{"ALL"}) {
			t.Errorf("%s is not confined", c.Name)
		}
		if c.Resources.Limits.Memory().IsZero() {
			t.Errorf("%s has no limit", c.Name)
		}
	}
	gateway := m.pod().Containers[0]
	for _, name := range []string{
		m.service.Spec.Ports[0].TargetPort.StrVal,
		gateway.ReadinessProbe.TCPSocket.Port.StrVal, gateway.LivenessProbe.TCPSocket.Port.StrVal,
	} {
		if name != gateway.Ports[0].Name {
			t.Errorf("%q is no port of the gateway", name)
		}
	}
}

// TestPod runs the manifest's containers as a pod has them, on one network of
// their own, without Kubernetes.
func TestPod(t *testing.T) {
	s := &sidecar{image: image(t), dir: t.TempDir(), port: harness.FreePort(t)}
	s.client.Timeout = soon
	m := readManifest(t)
	for name, text := range m.config.Data {
		write(t, []byte(text), s.dir, "config", name)
	}
	s.writeSecret(t, firstSecret)

	ids := map[string]string{}
	for _, c := range m.pod().Containers {
		network := []string{"--publish", "127.0.0.1:" + s.port + ":8080"}
		for _, alias := range m.pod().HostAliases {
			network = append(network, "--add-host", alias.Hostnames[0]+":"+alias.IP)
		}
		if gateway := ids["gateway"]; gateway != "" {
			network = []string{"--network", "container:" + gateway}
		}
		id := docker(t, slices.Concat([]string{"run", "--detach"}, network, s.options(c), []string{s.image}, c.Args)...)
		t.Cleanup(func() { docker(t, "rm", "--force", "--volumes", id) })
		ids[c.Name] = id
	}
	s.awaitAnswer(t)
	ready := append([]string{"docker", "exec", ids["app"]}, m.pod().Containers[1].ReadinessProbe.Exec.Command...)
	for deadline := time.Now().Add(soon); ; time.Sleep(100 * time.Millisecond) {
		said, err := execute(t.Context(), nil, ready...)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for the application: %s", soon, said)
		}
	}

	d := signed("first", firstSecret, anyBytes, time.Now())
	s.accepted(t, d)
	s.duplicate(t, d)

	addr := docker(t, "inspect", "--format", "{{.NetworkSettings.Networks.bridge.IPAddress}}", ids["gateway"])
	if said := s.from(t, "bridge", "http://"+addr+":3000/", "straight"); !strings.Contains(said, "connection refused") {
		t.Errorf("the application answers past its gateway:\n%s", said)
	}
	if said := s.from(t, "container:"+ids["gateway"], "http://127.0.0.1:2019/", "admin"); !strings.Contains(said, "connection refused") {
		t.Errorf("the application can reach the admin endpoint:\n%s", said)
	}
}

// options are what the engine calls the fields of a container.
func (s *sidecar) options(c core.Container) []string {
	options := []string{"--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true"}
	folders := map[string]string{"config": "config", "secrets": "secrets"}
	for _, mount := range c.VolumeMounts {
		if folder := folders[mount.Name]; folder != "" {
			options = append(options, "--volume", filepath.Join(s.dir, folder)+":"+mount.MountPath+":ro")
		}
	}
	for _, variable := range c.Env {
		options = append(options, "--env", variable.Name+"="+variable.Value)
	}
	return options
}
