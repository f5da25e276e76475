"""Scores, intervals and tests from the reference implementations.

Run: pip install sacrebleu rouge-score scipy statsmodels; python make_evaluation.py
Writes `evaluation.json` beside itself; versions are in README.md. Texts are made here or by a seeded generator. The
percentile bootstrap is scipy's own with a million draws, so that its ends are known to about 1e-3 of the interval's width.
"""
import collections
import json
import pathlib
import random
import re
import string

import numpy as np
from rouge_score import rouge_scorer
from sacrebleu.metrics import CHRF
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.inter_rater import cohens_kappa, to_table
from statsmodels.stats.proportion import proportion_confint

HERE = pathlib.Path(__file__).parent
WORDS = (
    "the a an patient fever of and with aspirin heparin 45-year-old IgA β-blocker naïve 3.5 mg/dL q.d. T-cell "
    "anti-dsDNA chest pain, (ECG) however; ST_elevation Guillain–Barré “warfarin” µg"
).split()
PAIRS = [
    ("", ""),
    ("", "Give aspirin."),
    ("Give aspirin.", ""),
    ("a", "the"),
    ("Give aspirin now.", "give ASPIRIN, now"),
    ("The patient has acute pancreatitis.", "Acute pancreatitis is the most likely diagnosis."),
    ("x", "xy"),
    ("abcdefg", "gfedcba"),
    ("发热三天,伴咳嗽", "患者发热三天"),
    ("İstanbul ſ K Å", "istanbul s k å"),
    ("line one\nline two\u00a0three\u2003four", "line two three"),
    ("it's the patient's β2-agonist", "its the patients β2 agonist"),
    ("🩺🫀 a\u0301", "🫀🩺 á"),
    ("<|im_end|> ## Thinking", "thinking"),
]


def squad_words(text):
    text = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def squad_f1(candidate, reference):
    """The formula of SQuAD v2's evaluation script."""
    ours, theirs = squad_words(candidate), squad_words(reference)
    if not ours or not theirs:
        return float(ours == theirs)
    shared = sum((collections.Counter(ours) & collections.Counter(theirs)).values())
    if shared == 0:
        return 0.0
    precision, recall = shared / len(ours), shared / len(theirs)
    return 2 * precision * recall / (precision + recall)


def similarities():
    rng = random.Random(20)
    pairs = list(PAIRS)
    for _ in range(30):
        pairs.append(tuple(" ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 40))) for _ in range(2)))
    rouge, chrf = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False), CHRF()
    return [
        {
            "candidate": candidate,
            "reference": reference,
            "rouge_l": rouge.score(reference, candidate)["rougeL"].fmeasure,
            "chrf": chrf.sentence_score(candidate, [reference]).score,
            "token_f1": squad_f1(candidate, reference),
        }
        for candidate, reference in pairs
    ]


def bootstraps():
    rng = np.random.default_rng(7)
    rows = []
    for values in [rng.normal(1.5, 0.4, 60), rng.beta(2, 5, 120), rng.exponential(200, 40)]:
        kwargs = dict(confidence_level=0.95, n_resamples=1_000_000, batch=20_000, method="percentile", rng=1)
        ends = stats.bootstrap((values,), np.mean, **kwargs).confidence_interval
        rows.append({"values": values.tolist(), "low": ends.low, "high": ends.high})
    return rows


def kappas():
    rng = random.Random(5)
    rows = []
    for labels in [2, 3]:
        for _ in range(4):
            first = [rng.randrange(labels) for _ in range(40)]
            second = [one if rng.random() < 0.6 else rng.randrange(labels) for one in first]
            table = to_table(np.array([first, second]).T)[0]
            rows.append({"first": first, "second": second, "kappa": cohens_kappa(table).kappa})
    return rows


def main():
    rng = np.random.default_rng(3)
    samples = [rng.normal(size=size).tolist() for size in (2, 3, 17, 100)]
    wilson = [(0, 1), (1, 1), (0, 20), (20, 20), (7, 25), (53, 200), (400, 1273), (1272, 1273)]
    pairs = [(0, 0), (0, 1), (1, 9), (5, 5), (12, 30), (30, 12), (400, 350), (3000, 2900), (0, 1100)]
    golden = {
        "similarities": similarities(),
        "wilson": [
            dict(zip(("successes", "trials", "low", "high"), (k, n, *proportion_confint(k, n, method="wilson"))))
            for k, n in wilson
        ],
        "standard_errors": [{"values": values, "standard_error": stats.sem(values)} for values in samples],
        "quantiles": [
            {"values": sorted(values), "low": np.quantile(values, 0.025), "high": np.quantile(values, 0.975)}
            for values in samples
        ],
        "mcnemar": [
            {"first": b, "second": c, "p": 1.0 if b + c == 0 else mcnemar([[0, b], [c, 0]], exact=True).pvalue}
            for b, c in pairs
        ],
        "kappas": kappas(),
        "bootstraps": bootstraps(),
    }
    text = json.dumps(golden, ensure_ascii=False, indent=0, default=float)
    (HERE / "evaluation.json").write_text(text + "\n", encoding="utf-8")


main()
