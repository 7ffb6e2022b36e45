"""What a job of each kind calls, and when: wiring by name, as in urls.py, because the
kernel may not import the apps above it. Read as settings."""

JOB_KINDS = {
    "notify.deliver": "crm.notify.sending.deliver_step",
    "notify.digest": "crm.notify.sending.digest_step",
    "audit.seal": "crm.audit.seal.seal_step",
    "access.clean": "crm.access.sessions.clean_step",
    "dashboards.retention": "crm.dashboards.retention.retention_step",
    "customers.bulk": "customers.listing.bulk_step",
    "customers.export": "customers.exporting.export_step",
    "customers.retain": "customers.privacy.retain_step",
    "customers.days": "customers.summing.days_step",
    "customers.watch": "customers.watching.watch_step",
    "customers.duplicates": "customers.duplicates.sweep_step",
    "customers.quality": "customers.data_quality.measure_step",
    "customers.grade": "customers.grade_steps.grade_step",
    "customers.grade_publish": "customers.grade_steps.publish_step",
    "customers.grade_due": "customers.grades.due_step",
    "customers.values": "customers.value.spread_step",
    "customers.value": "customers.value.value_step",
    "customers.trends": "customers.watch_night.trends_step",
    "customers.alert": "customers.watch_night.alert_step",
    "customers.forecasts": "customers.forecast.spread_step",
    "customers.forecast": "customers.forecast.forecast_step",
    "complaints.sweep": "complaints.sweeping.sweep_step",
    "complaints.again": "complaints.clocks.again_step",
    "complaints.calls": "complaints.calls.forget_step",
    "complaints.idle": "complaints.passing.idle_step",
    "complaints.terms": "complaints.learning.terms_step",
    "complaints.topics": "complaints.learning.alert_step",
    "complaints.sample": "complaints.quality.draw_step",
    "transfer.import": "crm.transfer.importing.import_step",
    "transfer.revert": "crm.transfer.importing.revert_step",
    "transfer.forget": "crm.transfer.importing.forget_step",
}
# Kinds that load numpy and scipy have a queue of their own, so that the workers of the day
# stay small where somebody runs separate ones (docker-compose.yml); `make run` has one.
ANALYTICS_QUEUE = "analytics"
ANALYTICS_KINDS = {"customers.value", "customers.forecast"}
# name → (kind, every so many seconds or None, daily at local time or None)
JOB_SCHEDULE = {
    "deliver": ("notify.deliver", 30, None),
    "digest": ("notify.digest", None, "08:00"),
    "seal": ("audit.seal", 10, None),
    "clocks": ("complaints.sweep", 60, None),
    "calls": ("complaints.calls", None, "03:45"),
    "idle": ("complaints.idle", 600, None),
    "terms": ("complaints.terms", 60, None),
    "topics": ("complaints.topics", 3600, None),
    "sample": ("complaints.sample", None, "04:30"),
    "days": ("customers.days", 60, None),
    "retain": ("customers.retain", None, "00:30"),
    "watch": ("customers.watch", None, "01:00"),
    "quality": ("customers.quality", None, "01:15"),
    "values": ("customers.values", None, "02:30"),
    "grades": ("customers.grade_due", None, "04:00"),
    "alerts": ("customers.trends", None, "05:00"),
    "forecasts": ("customers.forecasts", None, "05:30"),
    "duplicates": ("customers.duplicates", None, "01:30"),
    "retention": ("dashboards.retention", None, "02:00"),
    "forget": ("transfer.forget", None, "03:30"),
    "clean": ("access.clean", None, "03:00"),
}
