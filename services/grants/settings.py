"""The variables of the grants service."""

from shared.chassis.settings import ServiceSettings, service_config


class Settings(ServiceSettings):
    """The variables of the grants service, prefix GRANTS_."""

    model_config = service_config("GRANTS_")
