//! The losses of a job, as its events tell them.

use std::fmt::Write as _;

use plot::{Captions, LineChart, Marker, Series};
use wire::Metrics;

/// How many places a small curve has.
const PLACES: usize = 16;
/// From the lowest to the highest.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Every number that was told, in the order of the steps.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Curve {
    pub(crate) step: u64,
    pub(crate) total_steps: Option<u64>,
    points: Vec<Metrics>,
}

/// One kind of number out of all that a step may tell.
type Kind = fn(&Metrics) -> Option<f64>;

const COLUMNS: [(&str, Kind); 6] = [
    ("train_loss", |metrics| metrics.train_loss),
    ("train_accuracy", |metrics| metrics.train_mean_token_accuracy),
    ("valid_loss", |metrics| metrics.valid_loss),
    ("valid_mean_token_accuracy", |metrics| metrics.valid_mean_token_accuracy),
    ("full_valid_loss", |metrics| metrics.full_valid_loss),
    ("full_valid_mean_token_accuracy", |metrics| metrics.full_valid_mean_token_accuracy),
];

impl Curve {
    pub(crate) fn add(&mut self, metrics: &Metrics) {
        let step = metrics.step.unwrap_or(self.step);
        self.step = self.step.max(step);
        self.total_steps = metrics.total_steps.or(self.total_steps);
        self.points.push(Metrics { step: Some(step), ..metrics.clone() });
    }

    /// The losses and the accuracy as they are now, for a progress bar, with a small curve of the training loss.
    pub(crate) fn now(&self) -> String {
        let last = |kind: Kind| self.points.iter().rev().find_map(kind);
        let mut parts = Vec::new();
        if let Some(loss) = last(|metrics| metrics.train_loss) {
            parts.push(format!("loss {loss:.3}{}", self.small()));
        }
        if let Some(accuracy) = last(|metrics| metrics.train_mean_token_accuracy) {
            parts.push(format!("accuracy {accuracy:.3}"));
        }
        if let Some(loss) = last(|metrics| metrics.full_valid_loss.or(metrics.valid_loss)) {
            parts.push(format!("validation {loss:.3}"));
        }
        parts.join(", ")
    }

    /// The training loss in a few characters, once it says something.
    fn small(&self) -> String {
        let losses: Vec<f64> = self
            .points
            .iter()
            .filter_map(|metrics| metrics.train_loss)
            .filter(|loss| loss.is_finite())
            .collect();
        if losses.len() < 3 {
            return String::new();
        }
        let places = losses.len().min(PLACES);
        let means: Vec<f64> = (0..places)
            .map(|place| {
                let part =
                    &losses[place * losses.len() / places..(place + 1) * losses.len() / places];
                part.iter().sum::<f64>() / part.len() as f64
            })
            .collect();
        let least = means.iter().copied().fold(f64::INFINITY, f64::min);
        let most = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let blocks = means.iter().map(|mean| block((mean - least) / (most - least)));
        format!(" {}", blocks.collect::<String>())
    }

    /// What training changed: the loss on the whole validation file if it was measured twice, else the next best.
    pub(crate) fn change(&self) -> Option<String> {
        let kinds: [(&str, Kind); 3] = [
            ("validation loss", |metrics| metrics.full_valid_loss),
            ("validation loss (on a batch)", |metrics| metrics.valid_loss),
            ("training loss", |metrics| metrics.train_loss),
        ];
        kinds.into_iter().find_map(|(name, kind)| {
            let points = self.points(kind);
            let ((first, before), (last, after)) = (*points.first()?, *points.last()?);
            let when =
                if first == 0.0 { "before".to_owned() } else { format!("at step {first:.0}") };
            (first < last).then(|| format!("{name} {before:.4} {when}, {after:.4} after"))
        })
    }

    /// The last loss on the whole validation file, else on a batch of it.
    pub(crate) fn valid_loss(&self) -> Option<f64> {
        let last = |kind: Kind| self.points(kind).last().map(|(_, loss)| *loss);
        last(|metrics| metrics.full_valid_loss).or_else(|| last(|metrics| metrics.valid_loss))
    }

    fn points(&self, kind: Kind) -> Vec<(f64, f64)> {
        let point = |metrics: &Metrics| Some((metrics.step? as f64, kind(metrics)?));
        self.points.iter().filter_map(point).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// A table with a line for each step; cells are empty where nothing was measured.
    pub(crate) fn csv(&self) -> String {
        let mut text = String::from("step");
        for (name, _) in COLUMNS {
            text.push(',');
            text.push_str(name);
        }
        text.push('\n');
        for metrics in &self.points {
            let _ = write!(text, "{}", metrics.step.unwrap_or_default());
            for (_, kind) in COLUMNS {
                text.push(',');
                if let Some(value) = kind(metrics) {
                    let _ = write!(text, "{value}");
                }
            }
            text.push('\n');
        }
        text
    }

    /// The losses over the steps as a picture, with `best`, the step of the best checkpoint, marked.
    pub(crate) fn svg(&self, best: Option<u64>) -> String {
        let train = self.points(|metrics| metrics.train_loss);
        let valid = self.points(|metrics| metrics.valid_loss);
        let full = self.points(|metrics| metrics.full_valid_loss);
        let all = [("training", &train), ("validation batch", &valid), ("validation (all)", &full)];
        let series: Vec<Series<'_>> = all
            .into_iter()
            .filter(|(_, points)| !points.is_empty())
            .map(|(name, points)| Series { name, points })
            .collect();
        let markers: Vec<Marker<'_>> =
            best.map(|step| Marker { at: step as f64, label: "best" }).into_iter().collect();
        let description = self.change().unwrap_or_default();
        let captions =
            Captions { title: "Learning curve", description: &description, x: "step", y: "loss" };
        LineChart { captions, series: &series, markers: &markers }.svg()
    }
}

/// The block for a share of the height; a flat curve lies at the bottom.
fn block(share: f64) -> char {
    let reached = |index: &usize| share * BLOCKS.len() as f64 >= *index as f64;
    BLOCKS[(0..BLOCKS.len()).rev().find(reached).unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(step: u64, train: f64, full: Option<f64>) -> Metrics {
        let train_loss = (step > 0).then_some(train);
        Metrics {
            step: Some(step),
            total_steps: Some(2),
            train_loss,
            full_valid_loss: full,
            ..Metrics::default()
        }
    }

    fn curve(all: &[Metrics]) -> Curve {
        let mut curve = Curve::default();
        for metrics in all {
            curve.add(metrics);
        }
        curve
    }

    #[test]
    fn the_change_is_told_by_the_best_measure_there_is() {
        assert_eq!(Curve::default().change(), None);
        let curve_of_two = curve(&[metrics(1, 3.0, None), metrics(2, 2.0, Some(1.5))]);
        assert_eq!(
            curve_of_two.change().as_deref(),
            Some("training loss 3.0000 at step 1, 2.0000 after")
        );
        let curve = curve(&[metrics(0, 0.0, Some(2.5)), metrics(2, 2.0, Some(1.5))]);
        assert_eq!(curve.change().as_deref(), Some("validation loss 2.5000 before, 1.5000 after"));
        assert_eq!((curve.step, curve.now().as_str()), (2, "loss 2.000, validation 1.500"));
        assert_eq!(curve.valid_loss(), Some(1.5));
    }

    #[test]
    fn a_small_curve_falls_as_the_loss_does() {
        let points: Vec<Metrics> =
            (1..=4).map(|step| metrics(step, 5.0 - step as f64, None)).collect();
        assert_eq!(curve(&points).now(), "loss 1.000 █▆▃▁");
        let flat: Vec<Metrics> = (1..=3).map(|step| metrics(step, 1.0, None)).collect();
        assert_eq!(curve(&flat).now(), "loss 1.000 ▁▁▁");
    }

    #[test]
    fn the_table_has_a_line_for_each_step_and_the_picture_a_line_for_each_kind() {
        let curve = curve(&[metrics(0, 0.0, Some(2.5)), metrics(1, 2.0, None)]);
        insta::assert_snapshot!(curve.csv(), @r"
        step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy,full_valid_loss,full_valid_mean_token_accuracy
        0,,,,,2.5,
        1,2,,,,,
        ");
        let svg = curve.svg(Some(1));
        assert!(
            svg.contains("validation (all)") && svg.contains("training") && svg.contains("best")
        );
        assert!(!svg.contains("validation batch"));
    }
}
