"""An action that does nothing, for measuring what HTTP costs."""

from core import action


@action(isolation="thread")
def run(text: str) -> dict[str, str]:
    """Return the text."""
    return {"text": text}
