"""Where a process stands among the workers of a job: the environment variable TF_CONFIG."""

import json
import os
from dataclasses import dataclass

from musae_tf.errors import ConfigError

# In the order in which tf.distribute counts them: the chief, where there is one, before the workers.
_ROLES = ("chief", "worker")


@dataclass(frozen=True)
class Place:
    """One of the workers of a job; without TF_CONFIG, the only one.

    Attributes:
        addresses: host:port of every worker.
        index: which of them this process is.
    """

    addresses: tuple[str, ...] = ()
    index: int = 0

    @classmethod
    def from_environment(cls) -> "Place":
        """Read TF_CONFIG.

        Raises:
            ConfigError: it is not what TensorFlow documents, or names servers that this training has no use for.
        """
        text = os.environ.get("TF_CONFIG", "")
        if not text.strip():
            return cls()
        try:
            found = json.loads(text)
            cluster, task = found.get("cluster") or {}, found.get("task") or {}
            if not cluster:
                return cls()
            addresses = {role: [str(address) for address in cluster.get(role, [])] for role in _ROLES}
            role, number = task["type"], int(task["index"])
        except (ValueError, TypeError, KeyError, AttributeError) as cause:
            raise ConfigError(
                f"TF_CONFIG is {text!r}; expected "
                '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}} '
                f"({type(cause).__name__}: {cause})"
            ) from None
        if set(cluster) - set(_ROLES) or role not in _ROLES:
            raise ConfigError(f"TF_CONFIG has the roles {sorted({*cluster, role})}; allowed: {', '.join(_ROLES)}")
        if not 0 <= number < len(addresses[role]):
            raise ConfigError(f"TF_CONFIG: task.index is {number}; cluster.{role} has {len(addresses[role])} addresses")
        before = len(addresses["chief"]) if role == "worker" else 0
        return cls((*addresses["chief"], *addresses["worker"]), before + number)

    @property
    def workers(self) -> int:
        """How many workers the job has."""
        return max(1, len(self.addresses))

    @property
    def is_chief(self) -> bool:
        """Whether this is the worker that writes; the others only compute."""
        return self.index == 0
