"""The model of purchases that a workspace keeps, so that no report changes its model on its own."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crm_analysis.clv.ahead.choice import Choice, choose_model, no_choice
from crm_analysis.clv.ahead.look_back import look_backs
from crm_analysis.clv.ahead.origins import revisit
from crm_analysis.clv.ahead.outlook import ON_SCHEDULE
from crm_analysis.clv.ahead.season import Season, season_finding
from crm_analysis.clv.ahead.seasonality import season_of
from crm_analysis.clv.families import setting
from crm_analysis.clv.models.dependence import frequency_and_amount
from crm_analysis.clv.models.regularity import Regularity, purchase_regularity, rhythm
from crm_analysis.customers import summarise_customers
from crm_analysis.errors import ConfigError, FitError

if TYPE_CHECKING:
    from crm_analysis.doors.store import OpenWorkspace
    from crm_analysis.doors.transactions import Transactions


@dataclass(frozen=True)
class FirmModels:
    """What a firm's customers are valued with.

    season : of the clock that the models run on; regularity : of purchases, None where too few were made.
    """

    choice: Choice
    season: Season
    regularity: Regularity | None

    def assumed(self, month: Callable[[int], str]) -> dict[str, dict[str, Any]]:
        """Sentences on what the models assume and what the data say of it: key -> values.

        Of the season, of the rhythm of purchases, and of whether frequency and amount depend on each other,
        which ends in "_one" where one spend model is used nevertheless; nothing of it without
        one, and nothing at all for contracts.

        Parameters
        ----------
        month : gives the name of a month, 1 to 12.
        """
        if self.choice.reason == "contracts":
            return {}
        (season, strong), (buys, regular) = season_finding(self.season), rhythm(self.regularity)
        names = {name: month(int(strong[name])) for name in ("strongest", "weakest")}
        linked, spend = frequency_and_amount(self.choice.fitted), self.choice.spend
        said: dict[str, dict[str, Any]] = {f"season_{season}": {**strong, **names}, f"rhythm_{buys}": regular}
        if spend is None:
            return said
        one = linked.kind in ("positive", "negative") and not spend.model.name.endswith("frequency")
        return {**said, f"dependence_{linked.kind}{'_one' if one else ''}": vars(linked)}


def firm_models(
    workspace: OpenWorkspace, firm: str, *, log: Transactions, customers: pd.DataFrame, revisited: bool = True
) -> FirmModels:
    """Fit a firm's models: the one that the workspace keeps is used, without one it is chosen here.

    Where the workspace says that customers have contracts, none is fitted.

    Parameters
    ----------
    log, customers : of the firm; `summarise_customers(log)`.
    revisited : whether past origins are revisited although the model is kept; they take most of the time.
    """
    settings = workspace.settings.firm(firm)
    kept = settings.purchase_model
    if setting(workspace).contractual:
        return FirmModels(no_choice(customers), season_of(log, given=settings.season), _regularity(log))
    return _fit(
        log,
        customers,
        season=season_of(log, given=settings.season),
        kept=kept.name if kept else None,
        revisited=revisited or kept is None,
    )


def choose_anew(workspace: OpenWorkspace, firm: str, *, until: date | None = None) -> Choice:
    """Choose a firm's model by its log scores with what is known at the end of `until`, and write it down.

    Returns
    -------
    The choice; its name stands in the workspace's file from now on, with the day.

    Raises
    ------
    FitError
        The customers determine no model; the file stays as it was.
    ConfigError
        Customers have contracts, for which these models are not.
    """
    if (found := setting(workspace)).contractual:
        raise ConfigError(
            f"{workspace.settings.path.name}: contracts = true, and {found.reason}: no model of purchases is "
            f"chosen. Use {' or '.join(found.models)}, or correct the workspace"
        )
    log = workspace.transactions(firm, until=until)
    season = season_of(log, given=workspace.settings.firm(firm).season)
    choice = _fit(log, summarise_customers(log), season=season, kept=None, revisited=True).choice
    if choice.name is None:
        raise FitError(f"{workspace.firm_name(firm)}: {'; '.join(choice.models.refused.values())}")
    write_model(workspace.settings.path, firm, name=choice.name, chosen_at=log.observed_until)
    return choice


def write_model(path: Path, firm: str, *, name: str, chosen_at: date) -> None:
    """Write `[firms.FIRM.purchase_model]` into a workspace's file, in place of an earlier one.

    Raises
    ------
    ConfigError
        The file would not say so afterwards, since the model is written there in another form.
    """
    text = path.read_text(encoding="utf-8")
    block = f'[firms.{firm}.purchase_model]\nname = "{name}"\nchosen_at = {chosen_at}\n'
    old = re.compile(rf"^\[firms\.{re.escape(firm)}\.purchase_model\][^\[]*", re.MULTILINE)
    if old.search(text):
        changed = old.sub(lambda found: block + _after(found[0]), text, count=1)
    else:
        at = _end_of_firm(text, firm)
        changed = f"{text[:at].rstrip()}\n\n{block}" + (
            f"\n{rest}" if (rest := text[at:].lstrip("\n")) else ""
        )
    if _said(changed, firm) != {"name": name, "chosen_at": chosen_at}:
        raise ConfigError(
            f"{path.name}: firm {firm!r} has a purchase_model that is not a table of its own; remove it and "
            f"choose again, or write:\n{block}"
        )
    unfinished = path.with_name(f".unfinished-{path.name}")
    unfinished.write_text(changed, encoding="utf-8")
    unfinished.replace(path)


def _end_of_firm(text: str, firm: str) -> int:
    """Place behind the last table of a firm: before the comments and the header that follow it."""
    headers = list(re.finditer(r"^(?:[ \t]*#.*\n)*\[+([^\]\n]+)\]", text, re.MULTILINE))
    last = max(
        (i for i, h in enumerate(headers) if h[1] == f"firms.{firm}" or h[1].startswith(f"firms.{firm}.")),
        default=-1,
    )
    return headers[last + 1].start() if 0 <= last < len(headers) - 1 else len(text)


def _after(block: str) -> str:
    """Blank lines and comments between the old block's last key and the next table."""
    lines = block.splitlines(keepends=True)
    keys = [i for i, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")]
    return "".join(lines[keys[-1] + 1 :])


def _said(text: str, firm: str) -> object:
    try:
        return tomllib.loads(text)["firms"][firm].get("purchase_model")
    except tomllib.TOMLDecodeError:
        return None


def _fit(
    log: Transactions, customers: pd.DataFrame, *, season: Season, kept: str | None, revisited: bool
) -> FirmModels:
    found = _regularity(log)
    k = int(kept.removeprefix(ON_SCHEDULE)) if kept and kept.startswith(ON_SCHEDULE) else steps(found)
    complete = customers[customers["history_complete"]]
    backs = look_backs(complete, observed_until=log.observed_until) if revisited else []
    origins = revisit(log, look_backs=backs, season=season, k=k)
    on_clock = season.on_clock(customers, observed_until=log.observed_until)
    return FirmModels(choose_model(on_clock, origins=origins, kept=kept, k=k), season, found)


def _regularity(log: Transactions) -> Regularity | None:
    try:
        return purchase_regularity(log)
    except FitError:
        return None


def steps(found: Regularity | None) -> int:
    """Steps to a purchase worth trying: 1 where purchases may come at random moments, else 2 to 9."""
    if found is None or found.low <= 1:
        return 1
    return int(np.clip(np.floor(found.k + 0.5), 2, 9))
