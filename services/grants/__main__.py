"""Starts the grants service."""

from services.grants.app import SERVICE

if __name__ == "__main__":
    SERVICE.run()
