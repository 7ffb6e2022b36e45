"""The errors of the API in its own OpenAPI document: `crm.api.explain` gives them."""

from typing import Any

# For `extend_schema(responses=…)` of an action that gives a list of objects.
OBJECTS = {
    (200, "application/json"): {"type": "array", "items": {"type": "object"}},
}
ERROR = {
    "type": "object",
    "properties": {
        "code": {"type": "string", "description": "What went wrong, for programs."},
        "message": {"type": "string", "description": "The same for people."},
        "errors": {"description": "By field, where fields are wrong."},
    },
    "required": ["code", "message"],
}
READING = {
    "400": "Something sent is wrong.",
    "401": "No valid key and no session.",
    "403": "The right is missing.",
    "404": "No such row, or one of somebody else.",
}
WRITING = {
    **READING,
    "409": "A rule refuses it; `code` says which.",
    "415": "JSON is expected.",
}


def describe_errors(result: dict[str, Any], **_facts: Any) -> dict[str, Any]:
    """Postprocessing hook: each operation lists the errors that it can answer with."""
    result["components"]["schemas"]["Error"] = ERROR
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    for methods in result["paths"].values():
        for method, operation in methods.items():
            words = READING if method == "get" else WRITING
            for code, text in words.items():
                answer = {"description": text, "content": body}
                operation["responses"].setdefault(code, answer)
    return result
