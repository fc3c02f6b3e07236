"""Which files usually hold keys and passwords, by their names."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import PurePath

from langchain_kimi.tools.patterns import Pattern, any_glob

SECRET_FILES: tuple[str, ...] = (
    # environments
    ".env", ".env.*", ".env[-_~]*", ".envrc", "*.env",
    "*.env.{local,dev,development,test,staging,prod,production,bak,old}",
    "!*.env.{example,sample,template,dist}", "!{example,sample,template}.env",
    # keys and their stores
    "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "*.ppk", "*.ovpn",
    "id_{rsa,dsa,ecdsa,ed25519}*", "!id_*.pub", ".ssh", ".gnupg",
    # logins of tools
    ".netrc", "_netrc", ".npmrc", ".yarnrc", ".yarnrc.yml", ".pypirc", ".pgpass", ".my.cnf",
    ".htpasswd", ".s3cfg", ".boto", ".vault-token", ".git-credentials", ".git/config",
    ".git/modules/**/config", ".cargo/credentials*", ".gem/credentials", ".composer/auth.json",
    ".docker/config.json", ".dockercfg", ".dockerconfigjson", ".config/gh/hosts.yml",
    # clouds
    ".aws", ".azure", ".kube", ".oci", ".config/gcloud", "kubeconfig", "credentials.json",
    "application_default_credentials.json", "client_secret*.json", "service{-,_}account*.json",
    "secrets.{json,toml,yaml,yml}", "*.tfstate*", "*.tfvars", "!*.tfvars.example",
    # what was typed, and what the server's callers said
    ".*_history", ".langgraph_api", ".langchain-kimi",
)  # fmt: skip
"""Globs for the end of a path, without regard to case. An entry holds for a file, and for a folder
and all below it; one with `!` takes files back that the entries before it name."""


class Secrets:
    """A table of files that are neither read nor shown."""

    def __init__(self, entries: Sequence[str] = SECRET_FILES) -> None:
        """Read the entries; see `SECRET_FILES` for how they are written."""
        self._rules = [
            (is_secret, _pattern(list(group), below=is_secret))
            for is_secret, group in groupby(entries, key=lambda entry: not entry.startswith("!"))
        ]

    def cover(self, path: PurePath) -> bool:
        """Say whether a relative path is in the table."""
        folded = path.as_posix().encode(errors="replace").decode().casefold()
        verdicts = [is_secret for is_secret, pattern in self._rules if pattern.fits(folded)]
        return bool(verdicts) and verdicts[-1]


def _pattern(entries: list[str], *, below: bool) -> Pattern:
    return any_glob(tuple(entry.removeprefix("!").casefold() for entry in entries), below=below)
