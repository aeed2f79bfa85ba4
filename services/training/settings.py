"""The variables of the training service."""

from shared.chassis.settings import ServiceSettings, service_config


class Settings(ServiceSettings):
    """The variables of the training service, prefix TRAINING_."""

    model_config = service_config("TRAINING_")
