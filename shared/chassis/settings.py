"""A service's variables: from the environment, else from the stack that runs on this machine."""

import os
from pathlib import Path
from typing import Literal

from platformdirs import user_data_dir
from pydantic_settings import BaseSettings, SettingsConfigDict


def data_folder() -> Path:
    """Where the one-machine stack keeps its data: TELAR_DATA_DIR, or the user's data folder."""
    return Path(os.environ.get("TELAR_DATA_DIR") or user_data_dir("telar"))


def service_config(prefix: str) -> SettingsConfigDict:
    """The settings of a service: its prefix, and the variables of a stack that is up."""
    return SettingsConfigDict(
        env_prefix=prefix,
        env_file=data_folder() / "run" / "services.env",
        extra="ignore",
        frozen=True,
    )


class ServiceSettings(BaseSettings):
    """What every service needs; each adds its prefix."""

    host: str = "127.0.0.1"
    port: int = 0
    kafka: str = "127.0.0.1:9092"
    mongo: str = "mongodb://127.0.0.1:27017/?replicaSet=rs0"
    database: str = ""
    jwks: Path = data_folder() / "keys" / "jwks.json"
    log_format: Literal["json", "pretty"] = "pretty"
    partitions: int = 6
    replication: int = 1
    """Brokers that hold each record of a topic made by this service; of three, two acknowledge."""
