"""The variables of the trade service."""

from shared.chassis.settings import ServiceSettings, service_config


class Settings(ServiceSettings):
    """The variables of the trade service, prefix TRADE_."""

    model_config = service_config("TRADE_")
