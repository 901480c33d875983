package container

import (
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
)

// podMonitor is what podmonitor.yaml has. The Prometheus Operator's own types would
// bring all of its modules.
type podMonitor struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Selector struct {
			MatchLabels map[string]string `json:"matchLabels"`
		} `json:"selector"`
		PodMetricsEndpoints []struct {
			Port, Path, Interval string
		} `json:"podMetricsEndpoints"`
	} `json:"spec"`
}

// TestKubernetesReplicas: the manifests of examples/kubernetes are of Kubernetes'
// form, their parts name each other, and an update never leaves no gateway. e2e
// runs the Caddyfile.
func TestKubernetesReplicas(t *testing.T) {
	t.Parallel()
	const folder = "../../examples/kubernetes"
	var (
		config     core.ConfigMap
		deployment apps.Deployment
		budget     policy.PodDisruptionBudget
		service    core.Service
		monitor    podMonitor
	)
	decodeObjects(t, textOf(t, folder, "kubernetes.yaml")+"\n---\n"+textOf(t, folder, "podmonitor.yaml"), map[string]any{
		"v1 ConfigMap": &config, "apps/v1 Deployment": &deployment, "policy/v1 PodDisruptionBudget": &budget, "v1 Service": &service,
		"monitoring.coreos.com/v1 PodMonitor": &monitor,
	})
	if config.Data["Caddyfile"] != textOf(t, folder, "Caddyfile") {
		t.Error("the ConfigMap has another Caddyfile")
	}
	spec := deployment.Spec
	if *spec.Replicas != 2 || spec.Strategy.RollingUpdate.MaxUnavailable.IntValue() != 0 {
		t.Error("an update can leave no gateway")
	}
	for _, selector := range []map[string]string{
		spec.Selector.MatchLabels, budget.Spec.Selector.MatchLabels, service.Spec.Selector, monitor.Spec.Selector.MatchLabels,
	} {
		if len(selector) != 1 || selector["app"] != spec.Template.Labels["app"] {
			t.Errorf("%v does not select %v", selector, spec.Template.Labels)
		}
	}
	gateway := spec.Template.Spec.Containers[0]
	ports := map[string]int32{}
	for _, port := range gateway.Ports {
		ports[port.Name] = port.ContainerPort
	}
	if ports["hooks"] != 8080 || ports["probes"] != 8081 {
		t.Errorf("the Caddyfile listens on other ports than %v", ports)
	}
	for _, probe := range []*core.Probe{gateway.ReadinessProbe, gateway.LivenessProbe} {
		if probe.HTTPGet.Path != "/health" || probe.HTTPGet.Port.String() != "probes" {
			t.Errorf("a probe asks %v", probe.HTTPGet)
		}
	}
	if service.Spec.Ports[0].TargetPort.String() != "hooks" {
		t.Error("the Service publishes another port")
	}
	if endpoints := monitor.Spec.PodMetricsEndpoints; len(endpoints) != 1 || endpoints[0].Port != "probes" || endpoints[0].Path != "/metrics" {
		t.Errorf("the PodMonitor asks %v", endpoints)
	}
}
