"""The image and the Kubernetes job that train on several machines."""

import re
import shlex

import pytest

from musae_tf.cli import build_parser
from musae_tf.config import load_config
from musae_tf.errors import MusaeError, WorkerError
from tests.conftest import CONFIGS
from tests.serving.files import SERVING, documents, run, tool
from tests.serving.test_kubernetes import build

kubernetes_validate = pytest.importorskip("kubernetes_validate")

# The release in which podFailurePolicy became stable, and the newest that the validator knows.
RELEASES = ("1.31", kubernetes_validate.latest_version())
TRAIN = SERVING / "kubernetes" / "train"
FILES = [path for path in sorted(TRAIN.glob("*.yaml")) if path.name != "kustomization.yaml"]
IMAGE = SERVING / "train" / "Dockerfile"


@pytest.fixture(scope="module")
def manifests() -> dict[str, dict]:
    return build(TRAIN)


@pytest.fixture(scope="module")
def job() -> dict:
    (found,) = documents(TRAIN / "job.yaml")
    return found["spec"]


@pytest.fixture(scope="module")
def pod(job) -> dict:
    return job["template"]["spec"]


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_file_follows_the_schema(path, release):
    for manifest in documents(path):
        kubernetes_validate.validate(manifest, release, strict=True)


@pytest.mark.parametrize("release", RELEASES)
def test_what_is_built_follows_the_schema(manifests, release):
    assert len(manifests) == len(FILES)
    for manifest in manifests.values():
        kubernetes_validate.validate(manifest, release, strict=True)


def test_every_pod_is_a_worker_of_the_same_job(job, pod, monkeypatch):
    from musae_tf.training import Place

    assert job["completionMode"] == "Indexed"
    (worker,) = pod["containers"]
    index, config = worker["env"]
    assert index["valueFrom"]["fieldRef"]["fieldPath"] == (
        "metadata.annotations['batch.kubernetes.io/job-completion-index']"
    )
    (service,) = documents(TRAIN / "service.yaml")
    domain, (port,) = service["metadata"]["name"], worker["ports"]
    assert (service["spec"]["clusterIP"], pod["subdomain"]) == ("None", domain)
    (manifest,) = documents(TRAIN / "job.yaml")
    for number in range(job["completions"]):
        # As Kubernetes does with a variable that stands before it.
        monkeypatch.setenv("TF_CONFIG", config["value"].replace(f"$({index['name']})", str(number)))
        place = Place.from_environment()
        assert (place.index, place.workers, place.is_chief) == (number, job["parallelism"], number == 0)
        host = f"{manifest['metadata']['name']}-{number}.{domain}"
        assert place.addresses[number] == f"{host}:{port['containerPort']}"


def test_musae_understands_what_the_containers_run(pod):
    (worker,), (dataset,) = pod["containers"], pod["initContainers"]
    given = build_parser().parse_args(worker["args"])
    assert given.run, "workers must agree on the folder"
    configs = {f"/opt/musae/configs/{path.name}": path for path in CONFIGS.glob("*.yaml")}
    config = load_config(configs[given.config], given.overrides)
    assert config.training.strategy == "multiworker"
    script = dataset["command"][2]
    (command,) = re.findall(r"musae ([^;]*);", script)
    assert build_parser().parse_args(shlex.split(command)).source == "corpus"
    assert f"{config.data.path}/manifest.json" in script


def test_exit_codes_mean_the_same_here_and_there(job):
    actions = {}
    for rule in job["podFailurePolicy"]["rules"]:
        for code in rule.get("onExitCodes", {}).get("values", []):
            actions[code] = rule["action"]
    assert actions == {MusaeError.exit_code: "FailJob", 143: "Ignore"}
    assert WorkerError.exit_code not in actions, "a worker that lost another is started again, but not for ever"
    assert job["template"]["spec"]["restartPolicy"] == "Never", "the policy needs it"


def test_only_workers_reach_workers(manifests):
    labels = manifests["Job/musae-train"]["spec"]["template"]["metadata"]["labels"]
    policy = manifests["NetworkPolicy/musae-train"]["spec"]
    (ingress,) = policy["ingress"]
    (peer,) = ingress["from"]
    for selector in (policy["podSelector"], peer["podSelector"]):
        assert selector["matchLabels"].items() <= labels.items()
    assert "ports" not in ingress, "NCCL takes any port"
    assert manifests["Service/musae-train"]["spec"]["selector"].items() <= labels.items()


def test_pods_are_restricted_and_have_what_they_write_to(manifests, pod):
    assert (
        manifests["Namespace/musae-train"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    )
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    volumes = {volume["name"] for volume in pod["volumes"]}
    for container in (*pod["containers"], *pod["initContainers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert set(mounts) <= volumes
        assert {"/training", "/tmp"} <= set(mounts.values())
    (claim,) = documents(TRAIN / "claim.yaml")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_the_image(manifests):
    done = run(tool("hadolint"), IMAGE)
    assert (done.returncode, done.stdout) == (0, "")
    text = IMAGE.read_text(encoding="utf-8")
    ignored = IMAGE.with_name("Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    copied = [name for line in re.findall(r"^COPY (.*) \S+$", text, re.MULTILINE) for name in line.split()]
    assert {f"!{name}" for name in copied} == {line for line in ignored if line.startswith("!")}
    assert all((SERVING.parent / name).exists() for name in copied)
    assert "USER 10001:10001" in text
    assert "WORKDIR /training" in text
