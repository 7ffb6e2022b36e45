"""lifetime_value --office CODE --until DATE --horizon-weeks N [--json]: fit, and foresee."""

from datetime import date

from django.core.management.base import BaseCommand

from crm import shell
from customers import value


class Command(BaseCommand):
    help = "Fit the lifetime models to an office and below; print what they expect."

    def add_arguments(self, parser) -> None:
        parser.add_argument("--office", required=True)
        parser.add_argument("--until", required=True, help="1997-09-30")
        parser.add_argument("--horizon-weeks", type=float, default=52)
        parser.add_argument("--json", action="store_true")

    def handle(self, *args, office: str, until: str, **options) -> None:
        unit = shell.office_named(office)
        try:
            day = date.fromisoformat(until)
        except ValueError:
            shell.fail("a day is written 1997-09-30")
        found = value.histories_of(unit, day)
        made = value.fit(unit, day, found)
        shell.note("value.from_shell", unit, {"fit": made.pk})
        if made.log_likelihood is None:
            shell.fail(f"no fit: {made.get_problem_display()}")
        expected = value.expected(made, found, options["horizon_weeks"])
        names = ("r", "alpha", "a", "b", "log_likelihood")
        answer = {
            "customers": made.customers,
            "expected_purchases": float(expected.sum()),
            "bg_nbd": {name: getattr(made, name) for name in names},
            "gamma_gamma": {n: getattr(made, n) for n in ("p", "q", "gamma")},
        }
        if options["json"]:
            shell.say(answer)
        else:
            for name, figure in answer.items():
                self.stdout.write(f"{name}: {figure}")
