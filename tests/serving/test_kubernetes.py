"""The Kubernetes manifests: the schemas of several releases, and that their parts fit together."""

import os
import re
from pathlib import Path

import pytest
import yaml

from tests.serving.files import GRPC_PORT, MODEL, MODEL_PATH, REST_PORT, SERVING, documents, flags, run, tool
from tests.serving.test_image import KNOWN_FLAGS

kubernetes_validate = pytest.importorskip("kubernetes_validate")

KUBERNETES = SERVING / "kubernetes"
BASE = [path for path in sorted((KUBERNETES / "base").glob("*.yaml")) if path.name != "kustomization.yaml"]
CLAIM = KUBERNETES / "claim/claim.yaml"
# The release in which gRPC probes became stable, and the newest that the validator knows.
RELEASES = ("1.27", kubernetes_validate.latest_version())
OVERLAYS = ("cpu", "gpu")
COMPONENTS = ((), ("model-volume",), ("tls",), ("model-volume", "tls"))


def build(folder: Path) -> dict[str, dict]:
    """What kustomize makes of a folder, by kind and name."""
    # No cluster is asked, and none must be by accident.
    done = run(tool("kubectl"), "kustomize", folder, env={**os.environ, "KUBECONFIG": os.devnull})
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr
    return {f"{item['kind']}/{item['metadata']['name']}": item for item in yaml.safe_load_all(done.stdout)}


@pytest.fixture(scope="module", params=[(overlay, parts) for overlay in OVERLAYS for parts in COMPONENTS], ids=str)
def built(request, tmp_path_factory):
    """An overlay with some of the components: its name, their names, and the manifests."""
    overlay, parts = request.param
    folder = tmp_path_factory.mktemp("kustomization").resolve()

    def relative(name: str) -> str:
        return os.path.relpath(KUBERNETES / name, folder)

    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [relative(f"overlays/{overlay}")],
        "components": [relative(f"components/{part}") for part in parts],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return overlay, parts, build(folder)


def server_pod(manifests) -> dict:
    return manifests["Deployment/musae-server"]["spec"]["template"]["spec"]


def server(manifests) -> dict:
    (container,) = server_pod(manifests)["containers"]
    return container


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("path", [*BASE, CLAIM], ids=lambda path: path.name)
def test_each_file_follows_the_schema(path, release):
    for manifest in documents(path):
        kubernetes_validate.validate(manifest, release, strict=True)


@pytest.mark.parametrize("release", RELEASES)
def test_what_is_built_follows_the_schema(built, release):
    for manifest in built[2].values():
        kubernetes_validate.validate(manifest, release, strict=True)


def test_the_schema_would_find_something():
    (deployment,) = documents(KUBERNETES / "base/deployment.yaml")
    deployment["spec"]["template"]["spec"]["containers"][0]["readinessProb"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, RELEASES[-1], strict=True)


def test_the_files_are_all_used():
    for path in KUBERNETES.rglob("kustomization.yaml"):
        (kustomization,) = documents(path)
        named = {Path(name).name for name in kustomization.get("resources", [])}
        named |= {patch["path"] for patch in kustomization.get("patches", []) if "path" in patch}
        named |= {name for made in kustomization.get("configMapGenerator", []) for name in made["files"]}
        assert {file.name for file in path.parent.iterdir() if file.is_file()} - {path.name} <= named, path


def test_the_parts_of_an_overlay(built):
    overlay, parts, manifests = built
    kinds = {name.split("/")[0] for name in manifests}
    expected = {"Namespace", "Deployment", "Service", "ConfigMap", "PodDisruptionBudget", "NetworkPolicy"}
    expected |= {"HorizontalPodAutoscaler"} if overlay == "cpu" else set()
    expected |= {"PersistentVolumeClaim"} if "model-volume" in parts else set()
    assert kinds == expected
    inside = [item["metadata"] for name, item in manifests.items() if not name.startswith("Namespace/")]
    assert {metadata.get("namespace") for metadata in inside} == {"musae"}


def test_selectors_find_the_pods(built):
    manifests = built[2]
    labels = manifests["Deployment/musae-server"]["spec"]["template"]["metadata"]["labels"]
    selectors = [item["spec"]["selector"] for name, item in manifests.items() if name.startswith("Service/")]
    selectors += [
        manifests["Deployment/musae-server"]["spec"]["selector"]["matchLabels"],
        manifests["PodDisruptionBudget/musae-server"]["spec"]["selector"]["matchLabels"],
        manifests["NetworkPolicy/musae-server"]["spec"]["podSelector"]["matchLabels"],
        server_pod(manifests)["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    ]
    assert len(selectors) == 6
    assert all(selector and selector.items() <= labels.items() for selector in selectors)


def test_ports_agree(built):
    manifests = built[2]
    ports = {port["name"]: port["containerPort"] for port in server(manifests)["ports"]}
    assert ports == {"grpc": GRPC_PORT, "rest": REST_PORT}
    for name in ("musae-server", "musae-pods"):
        (port,) = manifests[f"Service/{name}"]["spec"]["ports"]
        assert (port["port"], port["targetPort"]) == (GRPC_PORT, "grpc")
    annotations = manifests["Deployment/musae-server"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(REST_PORT)
    rules = manifests["NetworkPolicy/musae-server"]["spec"]["ingress"]
    assert [rule["ports"] for rule in rules] == [[{"port": "grpc"}], [{"port": "rest"}]]
    assert "from" in rules[1], "REST is not for everyone"


def test_probes(built):
    _, parts, manifests = built
    container = server(manifests)
    probes = {name: container[name] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    if "tls" in parts:
        assert not any("grpc" in probe for probe in probes.values()), "Kubernetes probes gRPC in plain text only"
        for name in ("startupProbe", "readinessProbe"):
            assert probes[name]["httpGet"] == {"path": f"/v1/models/{MODEL}", "port": "rest"}
        assert probes["livenessProbe"]["tcpSocket"] == {"port": "grpc"}
    else:
        assert all(probe["grpc"] == {"port": GRPC_PORT} for probe in probes.values())
    startup = probes["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 300


def test_the_configs_are_those_of_the_image_or_the_overlays(built):
    overlay, _, manifests = built
    (volume,) = [volume for volume in server_pod(manifests)["volumes"] if volume["name"] == "config"]
    data = manifests[f"ConfigMap/{volume['configMap']['name']}"]["data"]
    assert set(data) == {"models.config", "batching.config", "monitoring.config"}
    for name, text in data.items():
        own = KUBERNETES / "overlays" / overlay / name
        source = own if own.exists() else SERVING / "config" / name
        assert text == source.read_text(encoding="utf-8")
    (mount,) = [mount for mount in server(manifests)["volumeMounts"] if mount["name"] == "config"]
    assert mount["mountPath"] == "/etc/musae"


def test_mounts_and_volumes(built):
    _, parts, manifests = built
    mounts = {mount["name"]: mount for mount in server(manifests)["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in server_pod(manifests)["volumes"]}
    assert set(mounts) == set(volumes)
    assert set(volumes) == {"config", "tmp", *(part.removesuffix("-volume") for part in parts)}
    assert all(mount.get("readOnly") for name, mount in mounts.items() if name != "tmp")
    if "model-volume" in parts:
        assert mounts["model"]["mountPath"] == MODEL_PATH
        claim = volumes["model"]["persistentVolumeClaim"]["claimName"]
        assert f"PersistentVolumeClaim/{claim}" in manifests


def test_flags(built):
    _, parts, manifests = built
    given = flags(server(manifests)["args"])
    assert set(given) <= KNOWN_FLAGS
    assert ("ssl_config_file" in given) == ("tls" in parts)
    if "tls" in parts:
        (mount,) = [mount for mount in server(manifests)["volumeMounts"] if mount["name"] == "tls"]
        assert given["ssl_config_file"] == f"{mount['mountPath']}/ssl.config"
    cores = server(manifests)["resources"]["requests"]["cpu"]
    assert given["tensorflow_inter_op_parallelism"] == cores
    batching = (SERVING / "config" / "batching.config").read_text(encoding="utf-8")
    batches = int(re.search(r"^num_batch_threads \{ value: (\d+) \}", batching, re.MULTILINE)[1])
    assert int(given["tensorflow_intra_op_parallelism"]) * batches == int(cores)


def test_pods_are_restricted(built):
    manifests = built[2]
    assert manifests["Namespace/musae"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    pod, container = server_pod(manifests), server(manifests)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert pod["shareProcessNamespace"] is True, "the server ignores SIGTERM as process 1"
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert "hostPath" not in yaml.safe_dump(pod)


def test_a_pod_has_time_to_leave(built):
    pod = server_pod(built[2])
    _, seconds = server(built[2])["lifecycle"]["preStop"]["exec"]["command"]
    assert int(seconds) < pod["terminationGracePeriodSeconds"]


def test_replicas(built):
    overlay, _, manifests = built
    deployment = manifests["Deployment/musae-server"]["spec"]
    limits = server(manifests)["resources"]["limits"]
    if overlay == "cpu":
        scaler = manifests["HorizontalPodAutoscaler/musae-server"]["spec"]
        assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "musae-server"}
        assert "replicas" not in deployment, "the autoscaler and the manifest would fight over it"
        assert 2 <= scaler["minReplicas"] <= scaler["maxReplicas"]
        assert "nvidia.com/gpu" not in limits
    else:
        assert deployment["replicas"] == 1
        assert limits["nvidia.com/gpu"] == "1"
    # With minAvailable, one pod would block the draining of its node for ever.
    assert manifests["PodDisruptionBudget/musae-server"]["spec"]["maxUnavailable"] == 1
