"""Starts the trade service."""

from services.trade.app import SERVICE

if __name__ == "__main__":
    SERVICE.run()
