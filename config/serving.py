"""The settings of the server: where it listens, who may come in, how much of it one client may take."""

# ruff: noqa: RUF009  `setting` makes a dataclasses.field, which the rule does not see.

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from config import words
from config.setting import setting
from core.timing import parse_duration


@dataclass(frozen=True, kw_only=True)
class Serving:
    """The second part of the table."""

    host: str = setting("AAFAI_HOST", "127.0.0.1", words.parse_host, "Address to listen on.")
    port: int = setting("AAFAI_PORT", "8000", words.whole(1, 65_535), "Port to listen on.")
    threads: int = setting(
        "AAFAI_THREADS", "8", words.whole(1, 256), "How many requests are answered at once."
    )
    token: str | None = setting(
        "AAFAI_TOKEN",
        "",
        words.parse_token,
        "What clients must send as their Bearer token; empty for none.",
        secret=True,
    )
    tokens_file: Path = setting(
        "AAFAI_TOKENS_FILE",
        "{QUEUE_BASE_PATH}/tokens.json",
        words.parse_path,
        "File of further tokens, made and revoked with `./bus token`.",
    )
    allow_anonymous: bool = setting(
        "AAFAI_ALLOW_ANONYMOUS",
        "false",
        words.parse_flag,
        "Whether other machines may come in without a token.",
    )
    allowed_hosts: tuple[str, ...] = setting(
        "AAFAI_ALLOWED_HOSTS",
        "localhost,127.0.0.1,[::1],{AAFAI_HOST}",
        words.parse_list,
        "Names by which clients may call this server; `*` for any, which is safe only with a token.",
        production="*",
    )
    allow_private_addresses: bool = setting(
        "AAFAI_ALLOW_PRIVATE_ADDRESSES",
        "false",
        words.parse_flag,
        "Whether actions and webhooks may reach private networks.",
    )
    max_body: int = setting("AAFAI_MAX_BODY", "10 MiB", words.parse_size, "The largest request body.")
    rate_limit: int = setting(
        "AAFAI_RATE_LIMIT",
        "0",
        words.whole(0, 10**6),
        "How many requests one address may make in a minute; 0 for any number.",
    )
    token_rate_limit: int = setting(
        "AAFAI_TOKEN_RATE_LIMIT",
        "0",
        words.whole(0, 10**6),
        "How many requests one token may make in a minute, unless it says; 0 for any number.",
    )
    request_timeout: float = setting(
        "AAFAI_REQUEST_TIMEOUT",
        "10 seconds",
        parse_duration,
        "How long a client may take to send a whole request.",
    )
    connections_per_address: int = setting(
        "AAFAI_CONNECTIONS_PER_ADDRESS",
        "256",
        words.whole(1, 10**6),
        "How many connections one address may have open; behind a proxy all clients are one address.",
    )
