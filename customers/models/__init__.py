"""Customers and what hangs on them; one module a subject, imported from here."""

from customers.models.contacts import (
    ContactPerson,
    CustomerAddress,
    CustomerPhone,
    ExternalId,
)
from customers.models.customer import Customer, CustomerQuerySet, Household
from customers.models.directory import Organisation
from customers.models.duplicates import DuplicatePair, Merge, MergedRows
from customers.models.grading import (
    CustomerGrade,
    GradeAssessment,
    GradeChange,
    GradeOverride,
    GradeRun,
    GradeScheme,
    GradeTally,
)
from customers.models.history import (
    Consent,
    CorrectionRequest,
    Opportunity,
    SegmentChange,
    ServicePoint,
    Task,
    TimelineEntry,
)
from customers.models.imports import ImportedChange
from customers.models.lists import Export, SavedView
from customers.models.money import Contract, ContractFile, Receivable
from customers.models.recipients import (
    DataQuality,
    Recipient,
    RecipientList,
    RecipientVersion,
)
from customers.models.usage import Usage, UsageDay, UsageMonth, UsageRef
from customers.models.value import CustomerValue, ValueFit, ValueTally
from customers.models.watch import (
    Alert,
    AlertReport,
    CustomerTrend,
    Forecast,
    KeyMonth,
    ServiceEffect,
    WatchRule,
)

__all__ = [
    "Alert",
    "AlertReport",
    "Consent",
    "ContactPerson",
    "Contract",
    "ContractFile",
    "CorrectionRequest",
    "Customer",
    "CustomerAddress",
    "CustomerGrade",
    "CustomerPhone",
    "CustomerQuerySet",
    "CustomerTrend",
    "CustomerValue",
    "DataQuality",
    "DuplicatePair",
    "Export",
    "ExternalId",
    "Forecast",
    "GradeAssessment",
    "GradeChange",
    "GradeOverride",
    "GradeRun",
    "GradeScheme",
    "GradeTally",
    "Household",
    "ImportedChange",
    "KeyMonth",
    "Merge",
    "MergedRows",
    "Opportunity",
    "Organisation",
    "Receivable",
    "Recipient",
    "RecipientList",
    "RecipientVersion",
    "SavedView",
    "SegmentChange",
    "ServiceEffect",
    "ServicePoint",
    "Task",
    "TimelineEntry",
    "Usage",
    "UsageDay",
    "UsageMonth",
    "UsageRef",
    "ValueFit",
    "ValueTally",
    "WatchRule",
]
