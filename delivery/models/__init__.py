"""The tables of delivery, one module a subject."""

from delivery.models.surveys import (
    Answer,
    Invitation,
    Question,
    Questionnaire,
    QuestionnaireVersion,
)

__all__ = [
    "Answer",
    "Invitation",
    "Question",
    "Questionnaire",
    "QuestionnaireVersion",
]
