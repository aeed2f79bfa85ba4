"""The variables of the enrollment service."""

from shared.chassis.settings import ServiceSettings, service_config


class Settings(ServiceSettings):
    """The variables of the enrollment service, prefix ENROLLMENT_."""

    model_config = service_config("ENROLLMENT_")
