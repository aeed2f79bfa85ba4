"""Starts the gateway."""

from services.gateway.app import SERVICE

if __name__ == "__main__":
    SERVICE.run()
