"""How Google's services say no."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """An error of Google's: its HTTP status, its name for programs, its sentence."""

    def __init__(self, status: int, reason: str, message: str = "No.") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message

    def document(self) -> dict[str, Any]:
        """Return the body of the answer, as Compute Engine and as newer services word it, both at once."""
        kind = "type.googleapis.com/google.rpc.ErrorInfo"
        return {
            "error": {
                "code": self.status,
                "message": self.message,
                "status": self.reason,
                "errors": [{"message": self.message, "domain": "global", "reason": self.reason}],
                "details": [{"@type": kind, "reason": self.reason, "domain": "googleapis.com"}],
            }
        }
