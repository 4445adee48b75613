"""Which family of models suits the customers: whether their leaving is seen, and when they can buy.

With a contract the firm knows who has left, and the question is how many renew. Without one a customer who
stays away says nothing, and a model has to infer who is still one. A model of one family fitted to data of
another gives numbers all the same: so every fit looks at the columns first, and refuses with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from crm_analysis.errors import ConfigError, DataError

if TYPE_CHECKING:
    from crm_analysis.doors.store import OpenWorkspace
    from crm_analysis.workspace import Workspace


@dataclass(frozen=True)
class Setting:
    """What kind of relationship the customers have with the firm.

    name : "contracts", "purchases" (at any time) or "opportunities" (purchases only at fixed occasions).
    contractual : whether the end of a relationship is seen.
    columns : those of a customer table of this kind.
    models : the functions that fit such customers, the first one to try first.
    reason : one sentence.
    """

    name: str
    contractual: bool
    columns: tuple[str, ...]
    models: tuple[str, ...]
    reason: str


SETTINGS = {
    found.name: found
    for found in (
        Setting(
            "contracts",
            True,
            ("tenure", "ended"),
            ("fit_sbg", "fit_bdw"),
            "the end of a contract is seen, so that who has left is a fact and not an inference",
        ),
        Setting(
            "opportunities",
            False,
            ("n_repeat", "last_opportunity", "n_opportunities"),
            ("fit_bg_bb",),
            "customers buy at fixed occasions only, and stay away without saying whether they come back",
        ),
        Setting(
            "purchases",
            False,
            ("n_repeat", "t_last", "t_observed"),
            ("fit_mbg_nbd", "fit_pareto_nbd", "fit_bg_nbd"),
            "customers may buy at any time, and stay away without saying whether they come back",
        ),
    )
}


def setting(
    described: pd.DataFrame | Workspace | OpenWorkspace | None = None,
    *,
    contracts: bool | None = None,
    fixed_opportunities: bool | None = None,
) -> Setting:
    """Say which family of models suits the customers.

    Parameters
    ----------
    described : a customer table, told by its columns; or a workspace, told by its key `contracts`.
    contracts : whether the end of a relationship is seen: the customer cancels, or does not renew.
    fixed_opportunities : without contracts, whether purchases can happen only at fixed occasions (a yearly
        appeal, a weekly market, a race); otherwise at any time.

    Raises
    ------
    DataError
        The columns are those of no kind, or of another one than stated.
    ConfigError
        Neither a description nor `contracts` is given, or the workspace says the opposite.
    """
    if isinstance(described, pd.DataFrame):
        return _agreeing(_of_table(described), contracts, fixed_opportunities)
    if described is not None:
        contracts = _of_workspace(described, contracts)
    if contracts is None:
        raise ConfigError(
            "setting: say whether the end of a relationship is seen: contracts=True where customers cancel "
            "or do not renew, contracts=False where they may stay away without saying so"
        )
    if contracts:
        return SETTINGS["contracts"]
    return SETTINGS["opportunities" if fixed_opportunities else "purchases"]


def check_setting(columns: Iterable[object], *, wanted: str) -> None:
    """Refuse a table that lacks a column of the kind `wanted`; name the right models where it is of another.

    Raises
    ------
    DataError
    """
    present = list(columns)
    needed = SETTINGS[wanted].columns
    missing = [name for name in needed if name not in present]
    if not missing:
        return
    if found := _kind(present):
        raise DataError(
            f"customers: the columns {list(found.columns)} describe another setting: {found.reason}. Use "
            f"{_listed(found.models)}; the model asked for needs {list(needed)}"
        )
    raise DataError(f"customers: no column {missing}; columns present: {present}")


def _kind(columns: Iterable[object]) -> Setting | None:
    present = set(columns)
    return next((kind for kind in SETTINGS.values() if present.issuperset(kind.columns)), None)


def _of_table(table: pd.DataFrame) -> Setting:
    if found := _kind(table.columns):
        return found
    kinds = "; ".join(f"{name}: {list(kind.columns)}" for name, kind in SETTINGS.items())
    raise DataError(
        f"setting: the columns {list(table.columns)} are those of no customer table; expected {kinds}"
    )


def _agreeing(found: Setting, contracts: bool | None, fixed_opportunities: bool | None) -> Setting:
    stated = contracts if contracts is not None else (False if fixed_opportunities else None)
    wrong_end = stated is not None and stated != found.contractual
    wrong_time = fixed_opportunities is not None and fixed_opportunities != (found.name == "opportunities")
    if wrong_end or (wrong_time and not found.contractual):
        raise DataError(
            f"setting: the columns {list(found.columns)} are those of {found.name}, against what is stated: "
            f"{found.reason}"
        )
    return found


def _of_workspace(workspace: Workspace | OpenWorkspace, contracts: bool | None) -> bool:
    stated: Workspace = getattr(workspace, "settings", workspace)  # type: ignore[arg-type]
    if contracts is not None and contracts != stated.contracts:
        raise ConfigError(
            f"setting: contracts={contracts}, but the workspace says contracts = "
            f"{str(stated.contracts).lower()}; correct the one that is wrong"
        )
    return stated.contracts


def _listed(models: tuple[str, ...]) -> str:
    return " or ".join(models) if len(models) < 3 else f"{', '.join(models[:-1])} or {models[-1]}"
