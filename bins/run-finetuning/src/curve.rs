//! The losses of a job, as its events tell them.

use wire::Metrics;

/// The first and the last of each kind of loss.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Curve {
    pub(crate) step: u64,
    pub(crate) total_steps: Option<u64>,
    train: Span,
    valid: Span,
    full_valid: Span,
}

#[derive(Debug, Default, Clone, PartialEq)]
struct Span {
    first: Option<(u64, f64)>,
    last: Option<(u64, f64)>,
}

impl Span {
    fn add(&mut self, step: u64, loss: Option<f64>) {
        if let Some(loss) = loss {
            self.first.get_or_insert((step, loss));
            self.last = Some((step, loss));
        }
    }
}

impl Curve {
    pub(crate) fn add(&mut self, metrics: &Metrics) {
        let step = metrics.step.unwrap_or(self.step);
        self.step = self.step.max(step);
        self.total_steps = metrics.total_steps.or(self.total_steps);
        self.train.add(step, metrics.train_loss);
        self.valid.add(step, metrics.valid_loss);
        self.full_valid.add(step, metrics.full_valid_loss);
    }

    /// The losses as they are now, for a progress bar.
    pub(crate) fn now(&self) -> String {
        let mut parts = Vec::new();
        if let Some((_, loss)) = self.train.last {
            parts.push(format!("loss {loss:.3}"));
        }
        if let Some((_, loss)) = self.full_valid.last.or(self.valid.last) {
            parts.push(format!("validation {loss:.3}"));
        }
        parts.join(", ")
    }

    /// What training changed: the loss on the whole validation file if it was measured twice, else the next best.
    pub(crate) fn change(&self) -> Option<String> {
        let spans = [
            ("validation loss", &self.full_valid),
            ("validation loss (on a batch)", &self.valid),
            ("training loss", &self.train),
        ];
        spans.into_iter().find_map(|(name, span)| {
            let ((first, before), (last, after)) = (span.first?, span.last?);
            let before_when =
                if first == 0 { "before".to_owned() } else { format!("at step {first}") };
            (first < last).then(|| format!("{name} {before:.4} {before_when}, {after:.4} after"))
        })
    }
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

    #[test]
    fn the_change_is_told_by_the_best_measure_there_is() {
        let mut curve = Curve::default();
        assert_eq!(curve.change(), None);
        curve.add(&metrics(1, 3.0, None));
        curve.add(&metrics(2, 2.0, Some(1.5)));
        assert_eq!(curve.change().as_deref(), Some("training loss 3.0000 at step 1, 2.0000 after"));
        let mut curve = Curve::default();
        curve.add(&metrics(0, 0.0, Some(2.5)));
        curve.add(&metrics(2, 2.0, Some(1.5)));
        assert_eq!(curve.change().as_deref(), Some("validation loss 2.5000 before, 1.5000 after"));
        assert_eq!((curve.step, curve.now().as_str()), (2, "loss 2.000, validation 1.500"));
    }
}
