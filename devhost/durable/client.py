"""The JSON that a durable client binding hands to the SDK."""

from __future__ import annotations

import json
from urllib.parse import quote, urlencode

PUBLIC_PATH = "/runtime/webhooks/durabletask"
_OPERATIONS = {
    "statusQueryGetUri": "",
    "sendEventPostUri": "/raiseEvent/{eventName}",
    "terminatePostUri": "/terminate?reason={text}",
    "rewindPostUri": "/rewind?reason={text}",
    "purgeHistoryDeleteUri": "",
    "restartPostUri": "/restart",
    "suspendPostUri": "/suspend?reason={text}",
    "resumePostUri": "/resume?reason={text}",
}


def management_urls(origin: str, hub_name: str, key: str, instance_id: str) -> dict[str, str]:
    """Build the URLs that manage one instance; `origin` is scheme and host without a trailing slash."""
    base = f"{origin}{PUBLIC_PATH}/instances/{quote(instance_id, safe='')}"
    query = _query(hub_name, key)
    urls = {name: f"{base}{tail}{'&' if '?' in tail else '?'}{query}" for name, tail in _OPERATIONS.items()}
    return {"id": instance_id} | urls


def client_binding(origin: str, rpc_base_url: str, hub_name: str, key: str = "") -> str:
    """Build the binding; the SDK calls `rpc_base_url`, people get URLs below `origin`."""
    creation = f"{origin}{PUBLIC_PATH}/orchestrators/{{functionName}}[/{{instanceId}}]?{_query(hub_name, key)}"
    return json.dumps(
        {
            "taskHubName": hub_name,
            "creationUrls": {
                "createNewInstancePostUri": creation,
                "createAndWaitOnNewInstancePostUri": creation
                + "&timeout={timeoutInSeconds}&pollingInterval={intervalInSeconds}",
            },
            "managementUrls": management_urls(origin, hub_name, key, "INSTANCEID"),
            "baseUrl": f"{origin}{PUBLIC_PATH}",
            "requiredQueryStringParameters": _query(hub_name, key),
            "rpcBaseUrl": rpc_base_url.rstrip("/") + "/",
        }
    )


def _query(hub_name: str, key: str) -> str:
    return urlencode({"taskHub": hub_name, "connection": "Storage", "code": key})
