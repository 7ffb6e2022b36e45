"""The ways out: e-mail through Django's backend, SMS through an adapter.

An SMS adapter is any class with `send(number, text)`; SMS_CHANNEL names it. Gateways
take approved templates only, so the adapter maps the subject to a template of its own.
"""

import logging

from django.conf import settings
from django.core.mail import send_mail
from django.utils.module_loading import import_string

from crm.notify.models import Message
from crm.text import mask_phone

logger = logging.getLogger("crm.notify.sms")


class ConsoleSms:
    """Writes to the log that a message would go, never its text or the full number."""

    def send(self, number: str, text: str) -> None:
        logger.info("SMS to %s, %s characters", mask_phone(number), len(text))


def send(message: Message) -> None:
    """Hand a message to its channel; raises what the channel raises."""
    if message.channel == Message.Channel.EMAIL:
        send_mail(message.subject, message.body, None, [message.to_address])
    elif message.channel == Message.Channel.SMS:
        import_string(settings.SMS_CHANNEL)().send(message.to_address, message.body)
