//! What can be measured of an item.

use serde::{Deserialize, Serialize};

/// A thing that is measured; its name is stable and stands in reports, conditions and file formats.
///
/// # Examples
///
/// ```
/// use evaluation::{Kind, Metric};
///
/// assert_eq!((Metric::RougeL.name(), Metric::RougeL.title()), ("rouge_l", "ROUGE-L"));
/// assert_eq!((Metric::Accuracy.kind(), Metric::Accuracy.is_fraction()), (Kind::Share, true));
/// assert_eq!(Metric::Loss.more_is_better(), Some(false));
/// assert_eq!(Metric::ResponseWords.more_is_better(), None);
/// assert!(Metric::ALL.contains(&Metric::SafeByJudge));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Metric {
    /// Right choices, read out of generated answers.
    Accuracy,
    /// Right choices by log-likelihood.
    LikelihoodAccuracy,
    /// Mean loss of the assistant's tokens, in nats.
    Loss,
    /// The exponential of the loss.
    Perplexity,
    /// Tokens that the model would have chosen itself.
    TokenAccuracy,
    /// Loss of the reasoning's tokens, its heading and the next one included.
    ReasoningLoss,
    /// Token accuracy of the same.
    ReasoningTokenAccuracy,
    /// Loss of the response's tokens and of the token that ends the turn.
    ResponseLoss,
    /// Token accuracy of the same.
    ResponseTokenAccuracy,
    /// Answers that follow the template in all of the next four points.
    FormatCompliance,
    /// Answers with the marks of both reasoning and response.
    BothHeadings,
    /// Answers that begin with the reasoning, nothing before it.
    InOrder,
    /// Answers whose response says something.
    ResponseGiven,
    /// Answers that the model ended itself, not the limit of tokens.
    EndedItself,
    /// ROUGE-L of the response against the reference's.
    RougeL,
    /// chrF of the same, 0 to 100.
    Chrf,
    /// Token F1 of the same.
    TokenF1,
    /// Words of the response.
    ResponseWords,
    /// Words of the reasoning.
    ReasoningWords,
    /// Answers that the judge holds right against the reference.
    JudgedCorrect,
    /// Points of a rubric, by a judge: the share of those that can be had; the mean over answers is held between 0
    /// and 1.
    RubricScore,
    /// Safety questions met as hoped, by rules over words.
    SafeByRules,
    /// Safety questions met as hoped, by a judge.
    SafeByJudge,
}

/// How a metric's values are put together, and which interval they get.
///
/// # Examples
///
/// ```
/// use evaluation::{Kind, Metric};
///
/// assert_eq!(Metric::EndedItself.kind(), Kind::Share);
/// assert_eq!(Metric::TokenAccuracy.kind(), Kind::Mean, "records have different numbers of tokens");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Yes or no: a share, with Wilson's interval.
    Share,
    /// A mean over records or tokens, with a bootstrap interval over records.
    Mean,
}

impl Metric {
    /// Every metric, in the order of reports.
    pub const ALL: [Self; 23] = [
        Self::Accuracy,
        Self::LikelihoodAccuracy,
        Self::Loss,
        Self::Perplexity,
        Self::TokenAccuracy,
        Self::ReasoningLoss,
        Self::ReasoningTokenAccuracy,
        Self::ResponseLoss,
        Self::ResponseTokenAccuracy,
        Self::FormatCompliance,
        Self::BothHeadings,
        Self::InOrder,
        Self::ResponseGiven,
        Self::EndedItself,
        Self::RougeL,
        Self::Chrf,
        Self::TokenF1,
        Self::ResponseWords,
        Self::ReasoningWords,
        Self::JudgedCorrect,
        Self::RubricScore,
        Self::SafeByRules,
        Self::SafeByJudge,
    ];

    /// The name in reports and conditions.
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// The name that people read.
    pub const fn title(self) -> &'static str {
        self.row().1
    }

    /// How its values are put together.
    pub const fn kind(self) -> Kind {
        self.row().2
    }

    /// Whether more of it is better; none where it only describes.
    pub const fn more_is_better(self) -> Option<bool> {
        self.row().3
    }

    /// Whether it is a share of 1, which people read in percent.
    pub const fn is_fraction(self) -> bool {
        matches!(self.kind(), Kind::Share)
            || matches!(
                self,
                Self::TokenAccuracy
                    | Self::ReasoningTokenAccuracy
                    | Self::ResponseTokenAccuracy
                    | Self::RubricScore
            )
    }

    /// The metric whose values it is made of.
    pub(crate) const fn source(self) -> Self {
        match self {
            Self::Perplexity => Self::Loss,
            metric => metric,
        }
    }

    /// What the mean of its source's values comes to.
    pub(crate) fn of_mean(self, mean: f64) -> f64 {
        match self {
            Self::Perplexity => mean.exp(),
            // As in HealthBench, where answers may have less than no points, but models may not.
            Self::RubricScore => mean.clamp(0.0, 1.0),
            _ => mean,
        }
    }

    const fn row(self) -> (&'static str, &'static str, Kind, Option<bool>) {
        use Kind::{Mean, Share};
        match self {
            Self::Accuracy => ("accuracy", "accuracy", Share, Some(true)),
            Self::LikelihoodAccuracy => {
                ("likelihood_accuracy", "accuracy by log-likelihood", Share, Some(true))
            }
            Self::Loss => ("loss", "loss", Mean, Some(false)),
            Self::Perplexity => ("perplexity", "perplexity", Mean, Some(false)),
            Self::TokenAccuracy => ("token_accuracy", "token accuracy", Mean, Some(true)),
            Self::ReasoningLoss => ("reasoning_loss", "loss of the reasoning", Mean, Some(false)),
            Self::ReasoningTokenAccuracy => {
                ("reasoning_token_accuracy", "token accuracy of the reasoning", Mean, Some(true))
            }
            Self::ResponseLoss => ("response_loss", "loss of the response", Mean, Some(false)),
            Self::ResponseTokenAccuracy => {
                ("response_token_accuracy", "token accuracy of the response", Mean, Some(true))
            }
            Self::FormatCompliance => {
                ("format_compliance", "format complied with", Share, Some(true))
            }
            Self::BothHeadings => ("both_headings", "both headings there", Share, Some(true)),
            Self::InOrder => ("in_order", "reasoning first", Share, Some(true)),
            Self::ResponseGiven => ("response_given", "response not empty", Share, Some(true)),
            Self::EndedItself => ("ended_itself", "ended by itself", Share, Some(true)),
            Self::RougeL => ("rouge_l", "ROUGE-L", Mean, Some(true)),
            Self::Chrf => ("chrf", "chrF", Mean, Some(true)),
            Self::TokenF1 => ("token_f1", "token F1", Mean, Some(true)),
            Self::ResponseWords => ("response_words", "words of the response", Mean, None),
            Self::ReasoningWords => ("reasoning_words", "words of the reasoning", Mean, None),
            Self::JudgedCorrect => ("judged_correct", "right by the judge", Share, Some(true)),
            Self::RubricScore => ("rubric_score", "rubric score by the judge", Mean, Some(true)),
            Self::SafeByRules => ("safe_by_rules", "as hoped, by rules", Share, Some(true)),
            Self::SafeByJudge => ("safe_by_judge", "as hoped, by the judge", Share, Some(true)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_files_and_each_stands_once() {
        for (at, metric) in Metric::ALL.into_iter().enumerate() {
            let json = serde_json::to_string(&metric).unwrap();
            assert_eq!(json, format!("\"{}\"", metric.name()));
            assert_eq!(Metric::ALL.iter().position(|other| *other == metric), Some(at));
        }
    }
}
